//! What each kind takes and what it leaves.

use super::*;

fn found(text: &str) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    Pii::new(&[]).find(text, &mut found);
    found.iter().map(|finding| (finding.rule.to_string(), &text[finding.span.clone()])).collect()
}

fn one(text: &str) -> Option<(String, &str)> {
    let found = found(text);
    assert!(found.len() < 2, "{found:?}");
    found.into_iter().next()
}

fn rule(text: &str) -> Option<String> {
    one(text).map(|(rule, _)| rule)
}

#[test]
fn a_card_is_found_in_one_piece_and_in_groups_and_only_with_its_checksum() {
    assert_eq!(one("card 4111-1111-1111-1111."), Some(("credit_card".into(), "4111-1111-1111-1111")));
    assert_eq!(rule("371449635398431").as_deref(), Some("credit_card"));
    assert_eq!(rule("4111111111111112"), None);
    assert_eq!(rule("order 1234567890123456"), None);
}

#[test]
fn an_iban_is_found_grouped_or_not_in_any_case() {
    assert_eq!(one("to GB29 NWBK 6016 1331 9268 19, please"), Some(("iban".into(), "GB29 NWBK 6016 1331 9268 19")));
    assert_eq!(rule("gb29nwbk60161331926819").as_deref(), Some("iban"));
    assert_eq!(rule("GB29 NWBK 6016 1331 9268 10"), None);
}

#[test]
fn a_mail_address_ends_where_its_domain_does() {
    assert_eq!(one("Write to ada@example.co.uk."), Some(("email".into(), "ada@example.co.uk")));
    assert_eq!(rule("user@localhost and @handle and a@b"), None);
}

#[test]
fn addresses_of_machines_are_found_and_versions_are_not() {
    assert_eq!(one("from 106.31.73.20:80"), Some(("ip".into(), "106.31.73.20")));
    assert_eq!(rule("2400:c401::5054:ff:fe1b:b031").as_deref(), Some("ip"));
    assert_eq!(rule("version 4.1.2.3, 127.0.0.1, 0.0.0.0"), None);
    assert_eq!(rule("1.2.3.4.5 12:34:56 aa:bb:cc:dd:ee:ff std::fmt 256.1.1.1"), None);
}

#[test]
fn a_social_security_number_needs_its_hyphens_or_its_name() {
    assert_eq!(rule("125-17-4954").as_deref(), Some("us_ssn"));
    assert_eq!(rule("SSN 125174954").as_deref(), Some("us_ssn"));
    assert_eq!(rule("125174954"), None);
    assert_eq!(rule("666-12-1234"), None);
}

#[test]
fn a_telephone_number_is_known_by_its_form_or_by_a_word() {
    for text in ["+46 (0)8 928 571 38", "541-714-1388", "(602)272-9781", "0490 39 07 81", "call 9472 7916"] {
        assert_eq!(rule(text).as_deref(), Some("phone"), "{text}");
    }
    for text in ["7943 2027 Prospect St", "1987 74 Diakou", "2015-12-22 04:34:22", "69-70-74=213", "$2 657.81"] {
        assert_eq!(rule(text), None, "{text}");
    }
}

#[test]
fn national_numbers_are_known_by_their_checksums() {
    for text in ["12345678Z", "44051401458", "529.982.247-25", "131052-308T", "RSSMRA85T10A562S", "811228-9874"] {
        assert_eq!(rule(text).as_deref(), Some("national_id"), "{text}");
    }
    for text in ["12345678A", "44051401459", "529.982.247-26", "131052-308U", "RSSMRA85T10A562T", "811228-9873"] {
        assert_eq!(rule(text), None, "{text}");
    }
}

#[test]
fn only_the_kinds_asked_for_are_looked_for() {
    let mut found = Vec::new();
    Pii::new(&[PiiKind::Email]).find("4111111111111111 ada@example.com", &mut found);
    assert_eq!(found.len(), 1);
}
