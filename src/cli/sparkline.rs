//! A curve in one line of text.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` in at most `width` characters, each the mean of a stretch of them, from the lowest to the
/// highest; empty where there are none.
pub fn sparkline(values: &[f64], width: usize) -> String {
    let cells = width.min(values.len());
    let mean = |cell: usize| {
        let stretch = &values[cell * values.len() / cells..(cell + 1) * values.len() / cells];
        stretch.iter().sum::<f64>() / stretch.len() as f64
    };
    let means: Vec<f64> = (0..cells).map(mean).collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = |mean: &f64| match high > low {
        true => ((mean - low) / (high - low) * (LEVELS.len() - 1) as f64).round() as usize,
        false => 0,
    };
    means.iter().map(|mean| LEVELS[level(mean).min(LEVELS.len() - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_curve_falls_and_a_flat_one_is_flat() {
        let falling: Vec<f64> = (0..80).map(|i| f64::from(80 - i)).collect();
        assert_eq!(sparkline(&falling, 8), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[3.0, 1.0], 40), "█▁");
        assert_eq!(sparkline(&[2.0; 5], 3), "▁▁▁");
        assert_eq!(sparkline(&[], 40), "");
    }
}
