//! Medians and quartiles.

/// The value below which this share of all lies, between two of them by their distance.
///
/// # Panics
/// When there are none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1).expect("there are values");
    let place = share * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

/// The middle.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// A figure of many rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The median.
    pub middle: f64,
    /// The first quartile and the third.
    pub spread: [f64; 2],
}

impl Figure {
    /// Of these rounds.
    pub fn of(values: &[f64]) -> Self {
        Self {
            middle: median(values),
            spread: [quantile(values, 0.25), quantile(values, 0.75)],
        }
    }

    /// Of the ratios of one to the other, round by round: what slows a whole round is in both.
    pub fn of_ratios(values: &[f64], others: &[f64]) -> Self {
        let ratios = values.iter().zip(others).map(|(one, other)| one / other);
        Self::of(&ratios.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), 2.5);
        assert_eq!(quantile(&values, 0.25), 1.75);
        assert_eq!(quantile(&values, 1.0), 4.0);
    }

    #[test]
    fn a_slow_round_leaves_its_ratio_as_it_is() {
        let figure = Figure::of_ratios(&[2.0, 20.0, 2.0], &[1.0, 10.0, 1.0]);
        assert_eq!(figure.middle, 2.0);
        assert_eq!(figure.spread, [2.0, 2.0]);
    }
}
