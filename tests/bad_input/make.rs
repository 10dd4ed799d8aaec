//! Files, whole and damaged.

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, StructArray};
use modescope::data::Mixture;
use serde_json::{Map, Value, json};

/// A NumPy file with this header entry by entry.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

/// Numbers as NumPy's `<f8`.
pub fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A Parquet file of these columns.
pub fn parquet(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub fn numbers(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub fn words(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub fn lists() -> ArrayRef {
    let rows = [Some(vec![Some(1.0)]), Some(vec![Some(2.0), None])];
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows))
}

pub fn structs() -> ArrayRef {
    let fields = vec![("part", numbers(&[Some(1.0), Some(2.0)]))];
    Arc::new(StructArray::try_from(fields).unwrap())
}

/// Two Gaussians in two dimensions as `mixture.json`.
pub fn mixture() -> Value {
    let unit = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
    let (weights, means) = (vec![0.5, 0.5], vec![vec![0.5, 0.5], vec![8.5, 8.5]]);
    json!(Mixture::new(weights, means, vec![unit.clone(), unit]).unwrap())
}

/// A safetensors file in its two parts.
pub struct Tensors {
    pub header: Map<String, Value>,
    pub data: Vec<u8>,
}

impl Tensors {
    pub fn parse(bytes: &[u8]) -> Self {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        Self { header, data: bytes[8 + length..].to_vec() }
    }

    /// The entry of a tensor.
    pub fn entry(&mut self, name: &str) -> &mut Map<String, Value> {
        self.header[name].as_object_mut().unwrap()
    }

    /// With the length of the header as it is, or as it is claimed.
    pub fn bytes(&self, claimed: Option<u64>) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap();
        let length = claimed.unwrap_or(header.len() as u64).to_le_bytes();
        [&length[..], &header, &self.data].concat()
    }
}
