//! Other firms' ids, in every method that names a firm: found in the
//! descriptors, so that none that is added can be forgotten.

use access::{FieldPath, Rules};
use decider::Role;
use tonic::Code;

use crate::site::{AREA, Site, acme, expected, logged, refused};

fn named(path: &FieldPath, value: &str) -> Vec<u8> {
    let innermost = value.as_bytes().to_vec();
    path.numbers.iter().rev().fold(innermost, |inner, number| {
        let mut field = Vec::new();
        prost::encoding::bytes::encode(*number, &inner, &mut field);
        field
    })
}

#[tokio::test]
async fn another_firms_id_is_refused_in_every_method() {
    let site = Site::start().await;
    let rules = Rules::of_the_suite().expect("rules");
    let mut walked = 0;
    for (path, rule) in rules.all() {
        let Some(carrier) = &rule.carrier else {
            continue;
        };
        if !rule.roles.contains(&Role::Carrier) {
            continue;
        }
        walked += 1;
        let area = rule
            .area
            .as_ref()
            .map(|area| named(area, AREA))
            .unwrap_or_default();
        let own = named(carrier, "acme");
        let other = named(carrier, "globex");
        for message in [
            [area.clone(), other.clone()].concat(),
            // The handler sees the last value, and so does the guard.
            [area.clone(), own, other].concat(),
            area,
        ] {
            let answer = site.send(path, &acme(), message).await;
            let wanted = expected(Code::PermissionDenied, "CARRIER_NOT_YOURS");
            assert_eq!(refused(answer), wanted, "{path}");
        }
    }
    assert!(walked > 15, "{walked} methods");
    assert!(logged(&["refused", "CARRIER_NOT_YOURS"]));
    site.still_serves_another().await;
}

#[tokio::test]
async fn what_is_not_for_firms_is_refused_in_every_method() {
    let site = Site::start().await;
    let rules = Rules::of_the_suite().expect("rules");
    let here = ["logistics", "admin", "log"];
    let mut walked = 0;
    for (path, rule) in rules.all() {
        let is_here = here
            .iter()
            .any(|name| path.starts_with(&format!("/baogong.{name}.")));
        if !is_here || rule.roles.contains(&Role::Carrier) {
            continue;
        }
        walked += 1;
        let answer = site.send(path, &acme(), Vec::new()).await;
        let wanted = expected(Code::PermissionDenied, "ROLE_NOT_ALLOWED");
        assert_eq!(refused(answer), wanted, "{path}");
    }
    assert!(walked > 30, "{walked} methods");
    assert!(logged(&["refused", "ROLE_NOT_ALLOWED"]));
    site.still_serves_another().await;
}
