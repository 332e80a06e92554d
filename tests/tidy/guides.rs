//! What a guide lists is what the code has.

use std::collections::BTreeSet;

use crate::{Findings, tree};

/// The words in capitals that `open` and `close` enclose.
fn words<'a>(text: &'a str, open: &str, close: &str) -> BTreeSet<&'a str> {
    text.split(open)
        .skip(1)
        .filter_map(|rest| rest.split(close).next())
        .filter(|word| word.len() > 3 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect()
}

#[test]
fn the_partner_guide_lists_every_reason_of_a_refusal() {
    let mut findings = Findings::default();
    let code = [
        "services/logistics/domain/src/freight/rejection.rs",
        "services/logistics/src/photos/refusal.rs",
    ];
    let code: String = code
        .map(|file| tree::read(&tree::root().join(file)))
        .concat();
    let guide = tree::read(&tree::root().join("docs/PARTNER_GUIDE.md"));
    let (_, listed) = guide.split_once("## When you are refused").expect("a list");
    // Of each row the first cell has the code.
    let cells = listed.lines().filter_map(|line| line.split('|').nth(2));
    let cells = cells.collect::<Vec<_>>().join("\n");
    let reasons = words(&code, "=> \"", "\"");
    let listed = words(&cells, "`", "`");
    for reason in reasons.difference(&listed) {
        findings.add("docs/PARTNER_GUIDE.md", format!("{reason} is not listed"));
    }
    for reason in listed.difference(&reasons) {
        findings.add("docs/PARTNER_GUIDE.md", format!("{reason} is no reason"));
    }
    findings.check(reasons.len() > 15, "rejection.rs", "has reasons to compare");
    findings.none();
}

#[test]
fn the_surplus_guide_lists_every_reason_of_a_refusal() {
    let mut findings = Findings::default();
    let domain = tree::root().join("services/inventory/domain/src");
    let code = tree::read(&domain.join("surplus/rejection.rs"));
    let all = tree::read(&domain.join("rejection.rs"));
    let guide = tree::read(&tree::root().join("docs/SURPLUS.md"));
    let (_, listed) = guide.split_once("## Refusals").expect("a list");
    let cells = listed.lines().filter_map(|line| line.split('|').nth(2));
    let cells = cells.collect::<Vec<_>>().join("\n");
    let (reasons, listed) = (words(&code, "=> \"", "\""), words(&cells, "`", "`"));
    for reason in reasons.difference(&listed) {
        findings.add("docs/SURPLUS.md", format!("{reason} is not listed"));
    }
    // Some are those of products and quantities.
    let known = &reasons | &words(&all, "=> \"", "\"");
    for reason in listed.difference(&known) {
        findings.add("docs/SURPLUS.md", format!("{reason} is no reason"));
    }
    findings.check(reasons.len() > 10, "rejection.rs", "has reasons to compare");
    findings.none();
}
