//! safetensors files that hold the tensors of models, once or several times over.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, ArrayView2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::Architecture;
use crate::error::{Error, Result};

/// What the metadata call their hash.
const HASH: &str = "hash";

/// A file being read: each tensor is taken out once, so that what is left is what nobody knows.
pub struct TensorFile<'a> {
    tensors: HashMap<String, TensorView<'a>>,
    metadata: HashMap<String, String>,
}

impl<'a> TensorFile<'a> {
    /// A file of flat values in the layout of `architecture`, each part under a prefix to the names of
    /// its tensors, with matrices of their own names. Where there is metadata, it gets a hash of
    /// everything in the file too.
    ///
    /// # Errors
    /// Where values do not fill the layout.
    pub fn encode(
        architecture: &Architecture,
        parts: &[(&str, &[f32])],
        matrices: &[(&str, ArrayView2<f64>)],
        mut metadata: HashMap<String, String>,
    ) -> Result<Vec<u8>> {
        let failed = |error| Error::failed(format!("encoding tensors: {error}"));
        let to_bytes = |(_, values): &(_, &[f32])| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        let bytes: Vec<Vec<u8>> = parts.iter().map(to_bytes).collect();
        let layout = architecture.layout();
        let mut views = Vec::new();
        for ((prefix, _), bytes) in parts.iter().zip(&bytes) {
            for spec in &layout {
                let range = spec.range();
                let slice = &bytes[4 * range.start..4 * range.end];
                let view =
                    TensorView::new(Dtype::F32, spec.shape.clone(), slice).map_err(failed)?;
                views.push((format!("{prefix}{}", spec.name), view));
            }
        }
        let to_bytes = |(_, matrix): &(_, ArrayView2<f64>)| -> Vec<u8> {
            matrix.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        let bytes: Vec<Vec<u8>> = matrices.iter().map(to_bytes).collect();
        for ((name, matrix), bytes) in matrices.iter().zip(&bytes) {
            let view =
                TensorView::new(Dtype::F64, matrix.shape().to_vec(), bytes).map_err(failed)?;
            views.push(((*name).to_owned(), view));
        }
        if metadata.is_empty() {
            return serialize(views, None).map_err(failed);
        }
        let hash = hash(&metadata, views.iter().map(|(name, view)| (name, view)));
        metadata.insert(HASH.into(), hash);
        serialize(views, Some(metadata)).map_err(failed)
    }

    /// Opens the bytes of a file.
    ///
    /// # Errors
    /// Where they are no safetensors file, in words.
    pub fn parse(bytes: &'a [u8]) -> std::result::Result<Self, String> {
        let wrong = |error| format!("not a safetensors file: {error}");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(wrong)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(wrong)?;
        Ok(Self {
            tensors: tensors.tensors().into_iter().collect(),
            metadata: header.metadata().clone().unwrap_or_default(),
        })
    }

    /// What the file says under a name.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }

    /// Whether the hash in the metadata is that of what is there. No tensor may have been taken yet.
    pub fn is_as_written(&self) -> bool {
        self.metadata(HASH).is_some_and(|written| written == hash(&self.metadata, &self.tensors))
    }

    /// Whether there are tensors under this prefix.
    pub fn holds(&self, prefix: &str) -> bool {
        self.tensors.keys().any(|name| name.starts_with(prefix))
    }

    /// The flat values of the part under this prefix.
    ///
    /// # Errors
    /// Where a tensor is missing, or of another type or shape, in words.
    pub fn take(
        &mut self,
        architecture: &Architecture,
        prefix: &str,
    ) -> std::result::Result<Vec<f32>, String> {
        let mut values = Vec::new();
        for spec in architecture.layout() {
            let name = format!("{prefix}{}", spec.name);
            let tensor = self.tensors.remove(&name).ok_or_else(|| format!("no tensor {name}"))?;
            let (dtype, shape, wanted) = (tensor.dtype(), tensor.shape(), &spec.shape);
            if dtype != Dtype::F32 || shape != wanted {
                return Err(format!("{name} is {dtype:?} {shape:?}, not F32 {wanted:?}"));
            }
            let (words, _) = tensor.data().as_chunks::<4>();
            values.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
        }
        Ok(values)
    }

    /// The matrix of this name, which has so many columns.
    ///
    /// # Errors
    /// Where it is missing, or of another type or shape, in words.
    pub fn take_matrix(
        &mut self,
        name: &str,
        columns: usize,
    ) -> std::result::Result<Array2<f64>, String> {
        let tensor = self.tensors.remove(name).ok_or_else(|| format!("no tensor {name}"))?;
        let (dtype, shape) = (tensor.dtype(), tensor.shape());
        let &[rows, _] = shape else {
            return Err(format!("{name} is {dtype:?} {shape:?}, no matrix"));
        };
        if dtype != Dtype::F64 || shape != [rows, columns] {
            return Err(format!("{name} is {dtype:?} {shape:?}, not F64 [{rows}, {columns}]"));
        }
        let (words, _) = tensor.data().as_chunks::<8>();
        let values = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
        Array2::from_shape_vec((rows, columns), values).map_err(|error| error.to_string())
    }

    /// Checks that every tensor was taken.
    ///
    /// # Errors
    /// The first by name that was not, in words.
    pub fn check_empty(&self) -> std::result::Result<(), String> {
        match self.tensors.keys().min() {
            Some(name) => Err(format!("unexpected tensor {name}")),
            None => Ok(()),
        }
    }
}

/// The BLAKE3 hash, in hexadecimal, of metadata without its hash, and of tensors with their names, types
/// and shapes, whatever their order.
fn hash<'a, 'data: 'a>(
    metadata: &HashMap<String, String>,
    tensors: impl IntoIterator<Item = (&'a String, &'a TensorView<'data>)>,
) -> String {
    let mut hasher = blake3::Hasher::new();
    let metadata: BTreeMap<_, _> = metadata.iter().filter(|(name, _)| *name != HASH).collect();
    hasher.update(format!("{metadata:?}").as_bytes());
    for (name, tensor) in tensors.into_iter().collect::<BTreeMap<_, _>>() {
        hasher.update(format!("{name:?} {:?} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
        hasher.update(tensor.data());
    }
    hasher.finalize().to_hex().to_string()
}
