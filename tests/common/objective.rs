//! The golden cases of the objective.

// Each test program uses a part of it.
#![allow(dead_code)]

use modescope::config::{ModelSettings, ScalingKind};
use modescope::data::Scaling;
use modescope::model::{Architecture, ModelCard, Objective, Parameters, Prior};
use ndarray::Array2;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
/// What `scripts/goldens_jax.py` wrote.
pub struct Golden {
    pub name: String,
    pub settings: Value,
    pub features: usize,
    pub hidden: Vec<usize>,
    pub latent: usize,
    pub parameters: Vec<f32>,
    pub x: Vec<f32>,
    pub noise: Vec<f32>,
    pub loss: f64,
    pub reconstruction: f64,
    pub kl: f64,
    pub gradients: Vec<f64>,
    pub parameters_after_3_steps: Vec<f64>,
}

/// A golden case as this program sees it.
pub struct Case {
    pub golden: Golden,
    pub card: ModelCard,
    pub parameters: Parameters,
    pub x: Array2<f32>,
    pub noise: Array2<f32>,
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let goldens: Vec<Golden> =
        serde_json::from_str(include_str!("../golden/objective.json")).unwrap();
    goldens.into_iter().map(Case::new).collect()
}

impl Case {
    fn new(golden: Golden) -> Self {
        let setting = |key: &str| golden.settings[key].clone();
        let parse = |key: &str| serde_json::from_value(setting(key)).unwrap();
        let model = ModelSettings {
            latent: Some(golden.latent),
            hidden: golden.hidden.clone(),
            activation: serde_json::from_value(setting("activation")).unwrap(),
            likelihood: serde_json::from_value(setting("likelihood")).unwrap(),
            posterior_variance: serde_json::from_value(setting("posterior_variance")).unwrap(),
            sigma: setting("sigma").as_f64().unwrap(),
            prior: serde_json::from_value(setting("prior")).unwrap(),
            prior_components: serde_json::from_value(setting("prior_components")).unwrap(),
            ..ModelSettings::default()
        };
        let architecture = Architecture::new(&model, golden.features);
        let rows = golden.x.len() / golden.features;
        let x = Array2::from_shape_vec((rows, golden.features), golden.x.clone()).unwrap();
        let draws: usize = serde_json::from_value(setting("importance_samples")).unwrap();
        let shape = (rows, draws * golden.latent);
        let noise = Array2::from_shape_vec(shape, golden.noise.clone()).unwrap();
        let card = ModelCard {
            format: ModelCard::FORMAT,
            modescope: String::new(),
            recipe: golden.name.clone(),
            seed: 1,
            columns: vec![String::new(); golden.features],
            architecture: architecture.clone(),
            scaling: Scaling::fit(ScalingKind::None, x.view()),
            prior: Prior::StandardNormal,
            objective: Objective {
                beta: setting("beta").as_f64().unwrap(),
                kl_reduction: parse("kl_reduction"),
                free_bits: setting("free_bits").as_f64().unwrap(),
                importance_samples: draws,
                batch: rows,
            },
        };
        let parameters = Parameters { architecture, values: golden.parameters.clone() };
        Self { golden, card, parameters, x, noise }
    }
}
