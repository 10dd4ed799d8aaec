//! The recipes that ship in the binary.

use crate::error::{Error, Result, nearest};

/// A named recipe: a TOML document that ships in the binary.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The name given to `--recipe`.
    pub name: &'static str,
    /// The document; its first comment line says what the recipe is.
    pub toml: &'static str,
}

/// Every recipe, the default first.
pub const RECIPES: &[Recipe] = &[
    Recipe { name: "calibrated", toml: include_str!("../../recipes/calibrated.toml") },
    Recipe { name: "two-stage", toml: include_str!("../../recipes/two-stage.toml") },
    Recipe { name: "vamp", toml: include_str!("../../recipes/vamp.toml") },
    Recipe { name: "standard", toml: include_str!("../../recipes/standard.toml") },
    Recipe { name: "classic", toml: include_str!("../../recipes/classic.toml") },
];

impl Recipe {
    /// The recipe with this name.
    ///
    /// # Errors
    /// Where there is none; the message lists those there are.
    pub fn find(name: &str) -> Result<Self> {
        let names = || RECIPES.iter().map(|recipe| recipe.name);
        RECIPES.iter().copied().find(|recipe| recipe.name == name).ok_or_else(|| {
            let known = names().collect::<Vec<_>>().join(", ");
            let error = Error::input(format!("there is no recipe \"{name}\""));
            match nearest(name, names()) {
                Some(guess) => {
                    error.help(format!("did you mean \"{guess}\"? The recipes are: {known}"))
                }
                None => error.help(format!("the recipes are: {known}")),
            }
        })
    }

    /// The default recipe, to recommend in place of another; nothing in its own place.
    pub fn better_than(name: &str) -> Option<&'static str> {
        let default = RECIPES[0].name;
        (name != default).then_some(default)
    }

    /// The first comment line: what the recipe is, in one sentence.
    pub fn summary(&self) -> &'static str {
        self.toml.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }
}
