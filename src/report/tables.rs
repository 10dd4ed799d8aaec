//! The sections that are tables: training, columns, distances, clusters.

use maud::{Markup, html};

use super::parts::{table, terms};
use super::{Page, rows_of_interest};
use crate::audit::structure::CHOICE_HEADINGS;
use crate::audit::words;
use crate::model::ACTIVE_UNIT_VARIANCE;

impl Page {
    pub(super) fn losses(&self) -> Markup {
        let headings: Vec<&str> =
            LOSS_HEADINGS.into_iter().filter(|name| self.generated || *name != REFERENCE).collect();
        let rows = rows_of_interest(&self.history).into_iter().map(|(record, reference)| {
            let reference = reference.map_or("–".into(), |loss| format!("{loss:.6}"));
            let mut cells = vec![record.epoch.to_string(), format!("{:.6}", record.loss)];
            cells.extend(self.generated.then_some(reference));
            cells.extend([
                format!("{:.6}", record.reconstruction),
                words::figure(record.kl),
                format!("{:.3}", record.beta),
                format!("{:.3}", record.sigma),
                record.active_units.to_string(),
                record.held_out_elbo.map_or("–".into(), |elbo| format!("{elbo:.3}")),
            ]);
            cells
        });
        html! {
            (self.picture("losses"))
            (table("Loss by epoch", &headings, rows))
            @if self.generated {
                p.evidence {
                    "The reference experiment reported its losses for its own draw of a ten-component \
                     mixture. Only recipe " code { "classic" } " has the same objective."
                }
            }
            (terms(&[
                ("Reconstruction", "how badly the decoder gives a row back from its latents."),
                ("KL", "how much the encoder tells the decoder of a row, in nats: how far its posterior \
                  lies from the prior. Near 0 the latents say nothing."),
                ("β", "the weight of the KL at the end of the epoch, in a full batch. It rises in the \
                  first epochs so that the encoder learns to speak before it has to pay for it."),
                ("σ", "the noise level in scaled units: learned, given, or √(columns / 2), which a mean \
                  squared error stands for."),
                ("ELBO", "the evidence lower bound of the held-out rows, in nats a row in the data's own \
                  units, under the prior of training: higher is better."),
            ]))
        }
    }

    pub(super) fn column_moments(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        let rows = self.columns.iter().zip(&audit.structure.columns).map(|(name, column)| {
            let ratio = column.generated_deviation / column.real_deviation;
            [
                name.clone(),
                words::figure(column.real_mean),
                words::figure(column.generated_mean),
                words::figure(column.real_deviation),
                words::figure(column.generated_deviation),
                if column.real_deviation > 0.0 { format!("{ratio:.2}") } else { "–".into() },
            ]
        });
        table("Mean and standard deviation of each column", &MOMENT_HEADINGS, rows)
    }

    pub(super) fn latent_units(&self) -> Markup {
        let Some(diagnosis) = &self.findings.latent else { return html! {} };
        let latent = &diagnosis.summary;
        let units =
            latent.mean_variance.iter().zip(&latent.kl_per_unit).zip(&latent.information_per_unit);
        let rows = units.enumerate().map(|(unit, ((variance, kl), information))| {
            [
                format!("z{}", unit + 1),
                words::figure(*variance),
                words::figure(*kl),
                words::figure(*information),
                if *variance > ACTIVE_UNIT_VARIANCE { "yes".into() } else { "no".into() },
            ]
        });
        html! {
            p { (words::latent(diagnosis, self.findings.samples.as_ref())) }
            (table("Latent units", &UNIT_HEADINGS, rows))
        }
    }

    pub(super) fn metrics(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        html! {
            p { "How far the generated rows are from the real ones, beside what fresh real rows get." }
            (table("Table of distances", &words::METRIC_HEADINGS, words::metrics(&audit.metrics)))
            p.evidence { (words::metric_notes(&audit.metrics)) }
            (terms(&[
                ("High quality", "the share of rows near a mode. A collapsed model can score 100%."),
                ("Two-sample accuracy", "how often a classifier tells generated from real rows. 0.5 is a \
                  guess, which is perfect here."),
                ("Precision, density", "how much of what is generated lies among real rows."),
                ("Recall, coverage", "how much of the real rows lies among generated ones."),
            ]))
        }
    }

    pub(super) fn clusters(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        html! {
            p { "The number of clusters that each rule chooses, on the same rows." }
            (self.picture("k-choice"))
            (table("Choice of k", &CHOICE_HEADINGS, audit.structure.choices(self.findings.latent.as_ref())))
            p.evidence { (words::counting(audit)) }
        }
    }
}

/// The column of what the reference experiment reported.
const REFERENCE: &str = "reference";
const LOSS_HEADINGS: [&str; 9] =
    ["epoch", "loss", REFERENCE, "reconstruction", "KL", "β", "σ", "active units", "held-out ELBO"];
const MOMENT_HEADINGS: [&str; 6] =
    ["column", "real mean", "generated mean", "real deviation", "generated deviation", "ratio"];
const UNIT_HEADINGS: [&str; 5] = [
    "unit",
    "variance of the posterior mean",
    "KL from N(0, 1) (nats)",
    "information at most (nats)",
    "active",
];
