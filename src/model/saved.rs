//! A trained model on disk: `model.safetensors` and `model.json`.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{ModelCard, Parameters, Prior, TensorFile};
use crate::error::{Error, Result};
use crate::files;
use crate::input;

/// A model that can be used: its card and its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedModel {
    /// Everything but the weights.
    pub card: ModelCard,
    /// The weights.
    pub parameters: Parameters,
}

impl SavedModel {
    /// Name of the weights file in a run folder.
    pub const WEIGHTS: &'static str = "model.safetensors";
    /// Name of the card file in a run folder.
    pub const CARD: &'static str = "model.json";

    /// Writes both files into `folder`, which must be there, each beside its old version and then
    /// renamed.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let Parameters { architecture, values } = &self.parameters;
        let encoded = TensorFile::encode(architecture, &[("", values)], &[], HashMap::new())?;
        files::write_bytes(&folder.join(Self::WEIGHTS), &encoded)?;
        files::write_json(&folder.join(Self::CARD), &self.card)
    }

    /// Reads a model from the two files in `folder`.
    ///
    /// # Errors
    /// Where a file is missing, is of another format, or does not fit the other; the message names
    /// the file and the tensor.
    pub fn load(folder: &Path) -> Result<Self> {
        let card = read_card(&folder.join(Self::CARD))?;
        let path = folder.join(Self::WEIGHTS);
        let bytes = read(&path)?;
        let wrong = |what: String| Error::damaged(&path, what);
        let mut file = TensorFile::parse(&bytes).map_err(wrong)?;
        let values = file.take(&card.architecture, "").map_err(wrong)?;
        file.check_empty().map_err(wrong)?;
        let parameters = Parameters { architecture: card.architecture.clone(), values };
        if let Some(name) = parameters.first_broken_tensor() {
            return Err(wrong(format!("{name} holds values that are not finite")));
        }
        Ok(Self { card, parameters })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    input::bytes(path).map_err(|error| error.help("name the folder of a finished training run"))
}

fn read_card(path: &Path) -> Result<ModelCard> {
    let wrong = |what: String| Error::damaged(path, what);
    let card: ModelCard =
        serde_json::from_slice(&read(path)?).map_err(|error| wrong(error.to_string()))?;
    if card.format != ModelCard::FORMAT {
        let (found, known) = (card.format, ModelCard::FORMAT);
        return Err(wrong(format!("model format {found}; this version reads format {known}")));
    }
    let features = card.architecture.features;
    if card.columns.len() != features
        || card.scaling.shift.len() != features
        || card.scaling.constant.iter().any(|&column| column >= features)
        || card.scaling.scale.len() != features
    {
        return Err(wrong(format!("columns and scaling do not fit {features} features")));
    }
    let names: HashSet<&String> = card.columns.iter().collect();
    if names.len() != features {
        return Err(wrong("two columns have one name".into()));
    }
    card.architecture.parameter_count().map_err(|error| wrong(error.message().into()))?;
    let latent = card.architecture.latent;
    if matches!(&card.prior, Prior::Mixture(mixture) if mixture.dimensions() != latent) {
        return Err(wrong(format!("the prior has not {latent} dimensions, as the latents have")));
    }
    let scaling = &card.scaling;
    let usable = scaling.shift.iter().all(|shift| shift.is_finite())
        && scaling.scale.iter().all(|scale| scale.is_normal() && *scale > 0.0);
    if !usable {
        return Err(wrong("the scaling is not finite and positive".into()));
    }
    Ok(card)
}
