//! `priority`: as listed, always.

use super::Strategy;

/// First come, first tried.
pub(super) static STRATEGY: Strategy =
    Strategy { name: "priority", order: |candidates, _| (0..candidates.len()).collect() };

#[cfg(test)]
mod tests {
    use super::super::Candidate;
    use super::*;

    #[test]
    fn the_order_is_that_of_the_list_whatever_the_weights_and_the_dice() {
        let candidates: Vec<Candidate> =
            [1, 9, 0].iter().enumerate().map(|(target, &weight)| Candidate { target, weight }).collect();
        assert!((0..100).all(|dice| (STRATEGY.order)(&candidates, dice) == [0, 1, 2]));
    }
}
