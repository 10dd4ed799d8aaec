//! Draws the models that a training leaves.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use burn::tensor::Device;
use ndarray::{Array2, ArrayView2};
use serde_json::json;

use super::board::{Board, INTERVAL, Pending, Turn};
use crate::audit::ledger::{gaussian_per_label, least_variances};
use crate::data::{Mixture, Table};
use crate::error::Result;
use crate::model::Prior;
use crate::report::{Charts, Class, LatentView, Points, PriorComponentView, Set};
use crate::run::classes::Classes;
use crate::run::latent_plane::{components, prior_mixture};
use crate::run::plot::with_losses;
use crate::run::{Dataset, Plan};
use crate::vae::Model;

/// Rows of each kind that the page shows.
const ROWS: usize = 1000;
/// How much longer than the pictures took is waited for the next: what they may take of one core.
const PATIENCE: u32 = 20;

/// Draws models beside the training that they come from.
pub struct Painter {
    plan: Plan,
    columns: Vec<String>,
    real: Table,
    /// The number of each real row in its file, from 1, and how many there are.
    numbers: Vec<usize>,
    of: usize,
    /// The components that rows are coloured by: of the truth, or one a label.
    modes: Option<Mixture>,
}

impl Painter {
    pub fn new(plan: &Plan, dataset: &Dataset) -> Self {
        let real = dataset.first(ROWS);
        let modes = match (&dataset.mixture, real.labels()) {
            // Of labels that say nothing there are no colours.
            (None, Some(labels)) => {
                let least = least_variances(real.rows());
                gaussian_per_label(real.rows(), labels, &least).ok()
            }
            (truth, _) => truth.clone(),
        };
        Self {
            plan: plan.clone(),
            columns: dataset.table.columns().to_vec(),
            numbers: dataset.row_numbers().take(ROWS).collect(),
            of: dataset.training.len(),
            real,
            modes,
        }
    }

    /// Paints what comes until the run ends.
    pub fn work(&self, board: &Board) {
        let mut state = board.lock();
        while !state.ended {
            let Some(pending) = state.pending.take() else {
                state = board.wait(state);
                continue;
            };
            drop(state);
            let begin = Instant::now();
            let painted = self.paint(pending);
            state = board.lock();
            if state.pending.is_none() {
                state.due = Turn::From(begin + INTERVAL.max(PATIENCE * begin.elapsed()));
            }
            // A model that cannot be drawn is no reason to stop: the run itself will say what is wrong.
            if let Ok(pictures) = painted {
                state.pictures = pictures;
                state.painted += 1;
            }
        }
    }

    /// The curves and the views, as `live.js` takes them.
    fn paint(&self, pending: Pending) -> Result<Vec<u8>> {
        let Pending { model: mut saved, history, overfitting } = pending;
        let (settings, device, never) =
            (&self.plan.settings, Device::flex(), AtomicBool::new(false));
        let scaling = &saved.card.scaling;
        let curves = with_losses(&history, settings, scaling, |figure| figure.picture("losses"))?;
        saved.card.prior = Model::new(saved.clone(), &device).trained_prior()?;
        let model = Model::new(saved, &device);
        let generated = model.sample(self.real.len(), settings.noise, settings.seed, &never)?;
        let means = model.encode(self.real.rows(), &never)?.means;
        let charts = self.charts(generated.view(), means.view(), &model.card().prior)?;
        let pictures = json!({
            "epoch": history.last().map(|record| record.epoch),
            "curves": curves.svg,
            "charts": charts,
            "overfitting": overfitting.map(|found| found.to_string()),
        });
        Ok(pictures.to_string().into_bytes())
    }

    /// The views without samples and latents, of which there will be `latent` units.
    pub fn empty(&self, latent: usize) -> Result<Charts> {
        let none = |columns| Array2::zeros((0, columns));
        let prior = Prior::StandardNormal;
        self.charts(none(self.columns.len()).view(), none(latent).view(), &prior)
    }

    fn charts(
        &self,
        generated: ArrayView2<f32>,
        means: ArrayView2<f32>,
        prior: &Prior,
    ) -> Result<Charts> {
        let classes = Classes::by(self.modes.as_ref(), &self.real, generated);
        let (of_real, of_generated) = (classes.real.as_deref(), classes.generated.as_deref());
        let numbers = || self.numbers.iter().copied();
        let prior = components(&prior_mixture(prior, means.ncols())?);
        Ok(Charts {
            columns: self.columns.clone(),
            classes: Class::all(&classes.names),
            real: Points::new(Set::Real, self.real.rows(), self.of, numbers(), of_real),
            generated: Points::new(Set::Generated, generated, generated.nrows(), 1.., of_generated),
            latent: LatentView {
                means: Points::new(Set::Latent, means, means.nrows(), numbers(), of_real),
                prior: prior.iter().map(PriorComponentView::from).collect(),
                map: None,
            },
            embeddings: Vec::new(),
        })
    }
}
