//! The recipes, studied: trained on many data sets, audited by this program, beside scikit-learn's
//! mixture told the right number of components. `scripts/recipe_study` writes `docs/recipes.md`
//! with it.

mod case;
mod job;
mod summary;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;

use case::CASES;
use job::Job;
use summary::Summary;

/// Trains recipes on data sets of many kinds and prints, as Markdown, what the audit says of each.
#[derive(Parser)]
struct Arguments {
    /// Folder for the runs; finished ones are not run again
    #[arg(long)]
    folder: PathBuf,
    /// Python with scikit-learn, for the mixture beside the recipes; without it that row is left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// Recipes
    #[arg(long, value_delimiter = ',', default_value = "calibrated")]
    recipes: Vec<String>,
    /// Cases by name [default: all]
    #[arg(long, value_delimiter = ',')]
    cases: Option<Vec<String>>,
    /// First seed
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Number of seeds
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Settings laid over every recipe, to try them; give another folder with them
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// `cargo bench` adds this
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let chosen = |name: &str| match &arguments.cases {
        None => true,
        Some(names) => names.iter().any(|wanted| wanted == name),
    };
    let cases: Vec<_> = CASES.iter().filter(|case| chosen(case.name)).collect();
    let wanted = arguments.cases.as_ref().map_or(CASES.len(), Vec::len);
    assert_eq!(cases.len(), wanted, "every name of --cases is that of a case in case.rs");
    let seeds = arguments.first..arguments.first + arguments.seeds;
    let folder = arguments.folder.as_path();
    let jobs: Vec<Job> = cases
        .iter()
        .flat_map(|case| arguments.recipes.iter().map(move |recipe| (*case, recipe)))
        .flat_map(|(case, recipe)| seeds.clone().map(move |seed| (case, recipe, seed)))
        .map(|(case, recipe, seed)| Job { case, recipe, seed, folder })
        .collect();
    // Threads of their own: the stages wait for work that they give to rayon's.
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = job.run(&arguments.assignments) {
                eprintln!("{}: {error}", job.name());
                std::process::exit(1);
            }
            eprintln!("{}", job.name());
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    if let Some(python) = &arguments.python {
        job::run_peer(python, folder);
    }
    println!("{}", Summary::HEADING);
    for case in cases {
        for recipe in &arguments.recipes {
            let of = |seed| Job { case, recipe, seed, folder }.findings();
            let findings: Vec<_> = seeds.clone().map(of).collect();
            println!("{}", Summary::of_recipe(&findings).row(case, recipe));
        }
        if arguments.python.is_some() && case.is_mixture() {
            let recipe = &arguments.recipes[0];
            let peers: Vec<_> =
                seeds.clone().map(|seed| Job { case, recipe, seed, folder }.peer()).collect();
            println!("{}", Summary::of_peer(&peers).row(case, "scikit-learn, told k"));
        }
    }
}
