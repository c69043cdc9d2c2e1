//! Strategies: in which order the targets of one model are tried. One file each, one line each in [`ALL`].

mod priority;
mod weighted;

/// A way of ordering targets.
#[derive(Debug)]
pub struct Strategy {
    /// The word in `strategy:` of the configuration file.
    pub name: &'static str,
    /// Orders candidates: places in the slice, best first, each exactly once. The number is fresh randomness.
    pub order: fn(&[Candidate], u64) -> Vec<usize>,
}

/// What a strategy may know of a target that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Index in the gateway's target table.
    pub target: usize,
    /// Its weight.
    pub weight: u32,
}

/// Every strategy, sorted by name.
pub static ALL: &[&Strategy] = &[&priority::STRATEGY, &weighted::STRATEGY];

/// Names of the contract whose strategies are not served yet.
const COMING: [&str; 6] = ["headroom", "learned", "least_busy", "lowest_cost", "lowest_latency", "semantic"];

/// The strategy of that name.
///
/// # Errors
/// A sentence saying whether the name is unknown or only not served yet, and what is.
pub fn strategy(name: &str) -> Result<&'static Strategy, String> {
    if let Some(strategy) = ALL.iter().copied().find(|strategy| strategy.name == name) {
        return Ok(strategy);
    }
    let names: Vec<&str> = ALL.iter().map(|strategy| strategy.name).collect();
    let (what, names) =
        (if COMING.contains(&name) { "comes with the router issue" } else { "is unknown" }, names.join(", "));
    Err(format!("strategy `{name}` {what}; use one of: {names}"))
}

/// Mixes a number well (splitmix64), so that one fresh number gives as many independent ones as a plan needs, and
/// neighbouring numbers give unlike ones.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_name_leads_to_its_strategy() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        assert!(ALL.iter().all(|listed| strategy(listed.name).unwrap().name == listed.name));
    }

    #[test]
    fn names_of_later_releases_are_told_from_mistakes() {
        for name in COMING {
            assert!(strategy(name).unwrap_err().contains("comes with the router issue"), "{name}");
        }
        assert!(strategy("wieghted").unwrap_err().contains("is unknown"));
    }
}
