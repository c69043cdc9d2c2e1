//! `weighted`: each call goes to a target with a probability that is its share of the weights, and further attempts
//! are drawn from the rest in the same way, so that the load of a target that is out spreads over the others by their
//! weights.

use super::{Candidate, Strategy, mix};

/// Draws without replacement, by weight.
pub(super) static STRATEGY: Strategy = Strategy { name: "weighted", order };

/// Targets of weight zero come last, as listed: they are tried only when everything else failed.
fn order(candidates: &[Candidate], dice: u64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..candidates.len()).filter(|&place| candidates[place].weight > 0).collect();
    let mut total: u64 = left.iter().map(|&place| u64::from(candidates[place].weight)).sum();
    let mut order = Vec::with_capacity(candidates.len());
    let mut dice = dice;
    while !left.is_empty() {
        dice = mix(dice);
        let drawn = left.remove(draw(&left, candidates, total, dice));
        total -= u64::from(candidates[drawn].weight);
        order.push(drawn);
    }
    order.extend((0..candidates.len()).filter(|&place| candidates[place].weight == 0));
    order
}

/// The place in `left` on which the dice fall.
fn draw(left: &[usize], candidates: &[Candidate], total: u64, dice: u64) -> usize {
    // The high half of the product is the dice scaled to 0..total, without a division and with next to no bias.
    let mut point = (u128::from(dice) * u128::from(total)) >> 64;
    for (index, &place) in left.iter().enumerate() {
        let weight = u128::from(candidates[place].weight);
        if point < weight {
            return index;
        }
        point -= weight;
    }
    left.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &[u32]) -> Vec<Candidate> {
        weights.iter().enumerate().map(|(target, &weight)| Candidate { target, weight }).collect()
    }

    #[test]
    fn calls_are_shared_out_by_weight() {
        let candidates = candidates(&[8, 2, 0]);
        let mut first = [0_u32; 3];
        for dice in 0..100_000 {
            first[order(&candidates, dice)[0]] += 1;
        }
        assert!(first[0].abs_diff(80_000) < 500 && first[1].abs_diff(20_000) < 500, "{first:?}");
        assert_eq!(first[2], 0);
    }

    #[test]
    fn the_second_attempt_is_shared_out_by_the_weights_of_the_rest() {
        let candidates = candidates(&[1_000_000, 3, 1]);
        let seconds = (0..40_000).filter(|&dice| order(&candidates, dice)[1] == 1).count();
        assert!(seconds.abs_diff(30_000) < 600, "{seconds}");
    }

    proptest! {
        #[test]
        fn every_candidate_stands_in_the_order_once(weights in prop::collection::vec(any::<u32>(), 0..12), dice: u64) {
            let mut order = order(&candidates(&weights), dice);
            order.sort_unstable();
            prop_assert_eq!(order, (0..weights.len()).collect::<Vec<_>>());
        }

        #[test]
        fn weightless_targets_never_go_before_others(weights in prop::collection::vec(0_u32..3, 1..9), dice: u64) {
            let order = order(&candidates(&weights), dice);
            prop_assert!(order.is_sorted_by_key(|&place| weights[place] == 0));
        }
    }
}
