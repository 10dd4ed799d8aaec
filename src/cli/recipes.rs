//! `modescope recipes`: list or print the recipes.

use clap::Args;
use serde_json::json;

use super::output::Output;
use crate::config::{RECIPES, Recipe};
use crate::error::Result;

/// List the recipes, or print one
#[derive(Args)]
#[command(after_help = "Examples:
  modescope recipes
  modescope recipes classic > mine.toml    then edit it and use --config mine.toml")]
pub struct Arguments {
    /// The recipe to print
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    if let Some(name) = &arguments.name {
        let recipe = Recipe::find(name)?;
        let json = json!({ "name": recipe.name, "toml": recipe.toml });
        output.result(recipe.toml.trim_end(), &json);
        return Ok(());
    }
    let width = RECIPES.iter().map(|recipe| recipe.name.len()).max().unwrap_or(0);
    let line = |recipe: &Recipe| format!("{:width$}  {}", recipe.name, recipe.summary());
    let text = RECIPES.iter().map(line).collect::<Vec<_>>().join("\n");
    let entry = |recipe: &Recipe| json!({ "name": recipe.name, "summary": recipe.summary() });
    output.result(&text, &json!({ "recipes": RECIPES.iter().map(entry).collect::<Vec<_>>() }));
    Ok(())
}
