//! Which rows belong together: the symmetric affinities P of t-SNE (van der Maaten and Hinton 2008,
//! equations 1 and 2) between near rows.

use bhtsne::{Neighbor, tSNE};
use ndarray::Array2;

use crate::error::{Error, Result};
use crate::knn::{Points, Tree};

/// A sparse symmetric matrix whose values sum to 1.
pub(super) struct Affinities {
    /// Where the entries of each row begin, and where the last end.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Affinities {
    /// Between rows (n × columns) and their 3 · perplexity nearest others.
    pub(super) fn new(rows: &Array2<f64>, perplexity: f64) -> Result<Self> {
        let neighbours = neighbours(rows, (3.0 * perplexity) as usize);
        let indices: Vec<usize> = (0..neighbours.len()).collect();
        // bhtsne sums them in an order that depends on the number of threads.
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .map_err(|error| Error::failed(format!("starting a t-SNE thread: {error}")))?;
        let found = pool.install(|| {
            let mut tsne: tSNE<f32, usize> = tSNE::new(&indices);
            tsne.perplexity(perplexity as f32)
                .early_exaggeration(1.0)
                .epochs(0)
                .initial_embedding(vec![0.0; 2 * indices.len()])
                .barnes_hut_with_neighbors(1.0, &neighbours)
                .affinities()
        });
        let found = found.ok_or_else(|| Error::failed("t-SNE found no affinities between rows"))?;
        // Its sum is in single precision, and a fiftieth off for some hundred thousand rows.
        let sum: f64 = found.values().iter().map(|&value| f64::from(value)).sum();
        Ok(Self {
            starts: found.rows().to_vec(),
            columns: found.columns().to_vec(),
            values: found.values().iter().map(|&v| (f64::from(v) / sum) as f32).collect(),
        })
    }

    /// Those of a row: the numbers of the other rows, and the share of each.
    pub(super) fn of_row(&self, row: usize) -> (&[u32], &[f32]) {
        let span = self.starts[row]..self.starts[row + 1];
        (&self.columns[span.clone()], &self.values[span])
    }
}

/// The `count` nearest other rows of each row, nearest first.
fn neighbours(rows: &Array2<f64>, count: usize) -> Vec<Vec<Neighbor<f32>>> {
    let tree = Tree::new(&Points::new(rows.view()));
    tree.of_rows(|leaf, found, out| {
        tree.nearest(leaf, count, |row, other| row != other, found);
        for (out, found) in out.iter_mut().zip(found) {
            let neighbour = |&(squared, index): &(f64, usize)| Neighbor {
                index,
                distance: squared.sqrt() as f32,
            };
            found.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
            *out = found.iter().map(neighbour).collect();
        }
    })
}
