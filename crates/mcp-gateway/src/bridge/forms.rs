//! Forms of elicitations. Choices with titles came as `oneOf` in 2025-11-25; before, they were two lists side by side. The
//! other way nothing has to be done: the two lists are still understood.

use crate::wire::Raw;

/// The `params` of an elicitation for a client of 2025-06-18.
pub(super) fn of_2025_06_18(params: &Raw) -> Raw {
    let properties = ["requestedSchema", "properties"];
    params.without(&["mode"]).change(&properties, |all| {
        let listed: Vec<_> = all.members().map(|(name, property)| (name, listed(&property))).collect();
        all.edited(listed.iter().map(|(name, property)| (&**name, Some(property.clone()))))
    })
}

/// One property; its choices as two lists, where it has some with titles.
fn listed(property: &Raw) -> Raw {
    let choices = property.get(&["oneOf"]).map(|choices| choices.elements()).unwrap_or_default();
    let each = |name: &str| choices.iter().map(|choice| choice.get(&[name])).collect::<Option<Vec<_>>>();
    match (each("const"), each("title")) {
        (Some(values), Some(titles)) if !values.is_empty() => property.edited([
            ("oneOf", None),
            ("enum", Some(Raw::array(&values))),
            ("enumNames", Some(Raw::array(&titles))),
        ]),
        _ => property.clone(),
    }
}
