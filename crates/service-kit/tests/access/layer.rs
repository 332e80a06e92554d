//! The layer with every method and every role, walked from the descriptors.

use access::{Rule, Rules};
use decider::{Role, Service};
use prost::Message;
use proto::order::v1::PlaceOrderRequest;
use service_kit::access::{AccessOptions, Guard};
use tonic::Code;

use crate::support::{
    AREA, Door, HOUSEHOLD, OTHER_AREA, Site, body, framed, grant, limited, raw_body, token, told,
};

const PLACE: &str = "/baogong.order.v1.OrderService/PlaceOrder";
const READ: &str = "/baogong.log.v1.LogService/Read";

fn rules() -> Rules {
    Rules::of_the_suite().expect("rules")
}

fn roles() -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(|role| *role != Role::System)
}

/// A request that names this at the fields that the rule looks at.
fn naming(rule: &Rule, area: &str) -> Vec<u8> {
    let paths = [
        (&rule.area, area),
        (&rule.household, HOUSEHOLD),
        (&rule.carrier, "acme"),
        (&rule.subject, "somebody"),
    ];
    let mut message = Vec::new();
    for (path, value) in paths {
        let Some(path) = path else { continue };
        let mut inner = value.as_bytes().to_vec();
        for number in path.numbers.iter().rev() {
            let mut field = Vec::new();
            prost::encoding::bytes::encode(*number, &inner, &mut field);
            inner = field;
        }
        message.extend_from_slice(&inner);
    }
    message
}

#[tokio::test]
async fn every_method_is_denied_to_every_role_unless_the_table_says_so() {
    let mut door = Site::new().door().await;
    let mut let_in = 0;
    for (path, rule) in rules().all() {
        for role in roles() {
            let called = door
                .ask(path, &token(grant(role)), &naming(rule, AREA))
                .await;
            if rule.public || rule.roles.contains(&role) {
                assert!(called.is_ok(), "{path} by {role}: {called:?}");
                let_in += 1;
            } else {
                let refused = (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned());
                assert_eq!(told(called), refused, "{path} by {role}");
            }
        }
    }
    assert!(let_in > 100, "the table lets somebody in");
}

#[tokio::test]
async fn no_method_but_the_public_ones_is_open_to_nobody() {
    let mut door = Site::new().door().await;
    for (path, rule) in rules().all() {
        let called = door
            .call(path, &[], body(&naming(rule, AREA)))
            .await
            .map(|_| ());
        if rule.public {
            assert!(called.is_ok(), "{path}");
        } else {
            let refused = (Code::Unauthenticated, "TOKEN_MISSING".to_owned());
            assert_eq!(told(called), refused, "{path}");
        }
    }
}

#[tokio::test]
async fn every_method_with_an_area_is_closed_to_other_areas() {
    let mut door = Site::new().door().await;
    let refused = || (Code::PermissionDenied, "AREA_NOT_YOURS".to_owned());
    for (path, rule) in rules().all() {
        for role in rule.roles.clone() {
            let token = token(limited(role));
            let own = door.ask(path, &token, &naming(rule, AREA)).await;
            if rule.all_areas {
                assert_eq!(told(own), refused(), "{path} by {role}");
                continue;
            }
            assert!(own.is_ok(), "{path} by {role}: {own:?}");
            if rule.area.is_some() {
                for area in [OTHER_AREA, "", "310115"] {
                    let other = door.ask(path, &token, &naming(rule, area)).await;
                    assert_eq!(told(other), refused(), "{path} by {role} in {area:?}");
                }
                let nothing = door.ask(path, &token, &[]).await;
                assert_eq!(told(nothing), refused(), "{path} by {role}");
            }
        }
    }
}

#[tokio::test]
async fn a_resident_is_kept_to_his_household_in_every_method_that_names_one() {
    let mut door = Site::new().door().await;
    let token = token(grant(Role::Resident));
    let mut named = 0;
    for (path, rule) in rules().all() {
        let Some(household) = rule
            .household
            .as_ref()
            .filter(|_| rule.roles.contains(&Role::Resident))
        else {
            continue;
        };
        named += 1;
        let mut other = naming(rule, AREA);
        prost::encoding::string::encode(household.numbers[0], &"h-2".to_owned(), &mut other);
        let refused = (Code::PermissionDenied, "HOUSEHOLD_NOT_YOURS".to_owned());
        assert_eq!(
            told(door.ask(path, &token, &other).await),
            refused,
            "{path}"
        );
    }
    assert!(named > 3, "methods that name a household");
}

#[tokio::test]
async fn every_message_of_a_stream_is_looked_at_however_it_comes() {
    let mut door = Site::new().door().await;
    let token = format!("Bearer {}", token(limited(Role::Dispatcher)));
    let headers = [("authorization", token.as_str())];
    let of = |area: &str| {
        let request = PlaceOrderRequest {
            area: area.to_owned(),
            ..PlaceOrderRequest::default()
        };
        framed(&request.encode_to_vec())
    };
    let good = [of(AREA), of(AREA)].concat();
    let bad = [of(AREA), of(OTHER_AREA)].concat();
    for size in [1, 3, 7, 100] {
        let parts = |bytes: &[u8]| raw_body(bytes.chunks(size).map(<[u8]>::to_vec).collect());
        assert!(
            door.call(PLACE, &headers, parts(&good)).await.is_ok(),
            "{size}"
        );
        let called = door.call(PLACE, &headers, parts(&bad)).await.map(|_| ());
        assert_eq!(told(called).1, "AREA_NOT_YOURS", "{size}");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_refused() {
    let mut door = Site::new().door().await;
    let token = format!("Bearer {}", token(limited(Role::Dispatcher)));
    let headers = [("authorization", token.as_str())];
    let refused = [
        (framed(&[0x12, 0xff]), "REQUEST_UNREADABLE"),
        (vec![1, 0, 0, 0, 1, 0], "COMPRESSION_REFUSED"),
        (vec![0, 0xff, 0xff, 0xff, 0xff], "TOO_LARGE"),
    ];
    for (bytes, reason) in refused {
        let called = door.call(PLACE, &headers, raw_body(vec![bytes])).await;
        assert_eq!(told(called.map(|_| ())).1, reason);
    }
}

#[tokio::test]
async fn the_caller_is_whom_the_token_names() {
    let mut door = Site::new().door().await;
    let mut both = grant(Role::Cadre);
    both.roles.push("operator".to_owned());
    let bearer = format!("Bearer {}", token(both));
    let auth = ("authorization", bearer.as_str());
    let message = || body(&naming(rules().get(PLACE).expect("a rule"), AREA));
    let who = door.call(PLACE, &[auth], message()).await.expect("let in");
    assert_eq!(who.as_deref(), Some("somebody as cadre"));
    let headers = [
        auth,
        ("baogong-role", "operator"),
        ("baogong-actor", "somebody"),
    ];
    let who = door.call(PLACE, &headers, message()).await.expect("let in");
    assert_eq!(who.as_deref(), Some("somebody as operator"));
    for (name, value, reason) in [
        ("baogong-role", "dispatcher", "ROLE_NOT_ALLOWED"),
        ("baogong-role", "system", "ROLE_NOT_ALLOWED"),
        ("baogong-actor", "another", "ACTOR_NOT_YOU"),
        ("authorization", bearer.as_str(), "TOKEN_MALFORMED"),
    ] {
        let called = door.call(PLACE, &[auth, (name, value)], message()).await;
        assert_eq!(told(called.map(|_| ())).1, reason, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_nobodys() {
    let mut door = Site::new().door().await;
    for path in [
        "/",
        "/baogong.order.v1.OrderService/Nothing",
        "/x.Y/Z",
        "//",
    ] {
        let called = door.ask(path, &token(grant(Role::Operator)), &[]).await;
        let refused = (Code::Unimplemented, "METHOD_UNKNOWN".to_owned());
        assert_eq!(told(called), refused, "{path}");
    }
}

#[tokio::test]
async fn in_the_open_mode_nobody_is_asked_and_unknown_methods_stay_closed() {
    let guard = Guard::open(Service::Order, &AccessOptions::default()).await;
    let mut door = Door::behind(guard.expect("a guard"));
    assert_eq!(door.call(READ, &[], body(&[])).await.expect("let in"), None);
    assert!(door.call("/x.Y/Z", &[], body(&[])).await.is_err());
}

/// Whoever is shut out must not go on reading what he opened before.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_token() {
    let site = Site::new();
    let mut door = site.door().await;
    let token = format!("Bearer {}", token(grant(Role::Auditor)));
    let headers = [("authorization", token.as_str()), ("test-stream", "open")];
    let mut stream = door.open(READ, &headers).await;
    assert_eq!(stream.first().await, "data");
    site.write("revoked", "token 01J0000000000000000000000A\n");
    let status = stream.end().await;
    assert_eq!(
        told(Err(status)),
        (Code::Unauthenticated, "TOKEN_REVOKED".to_owned())
    );
}
