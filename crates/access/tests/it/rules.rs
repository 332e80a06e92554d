//! The table of rules is whole, and means what it says.

use std::collections::BTreeSet;

use access::{Areas, Caller, Refusal, Rule, Rules};
use decider::Role;
use prost::Message;
use prost_reflect::DescriptorPool;
use std::sync::Arc;

fn rules() -> Rules {
    Rules::of_the_suite().expect("no contradictions")
}

fn paths(descriptors: &[u8]) -> BTreeSet<String> {
    let pool = DescriptorPool::decode(descriptors).expect("descriptors");
    let methods = pool.services().flat_map(|service| {
        let name = service.full_name().to_owned();
        let methods: Vec<_> = service.methods().collect();
        methods
            .into_iter()
            .map(move |method| format!("/{name}/{}", method.name()))
    });
    methods.collect()
}

/// The services that every server has without our protos.
const FOREIGN: [&[u8]; 3] = [
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

#[test]
fn every_method_has_a_rule() {
    let rules = rules();
    assert_eq!(rules.without(), [] as [&str; 0], "these have none");
    let mut methods = paths(proto::DESCRIPTORS);
    assert!(methods.len() > 50, "the descriptors were read");
    for foreign in FOREIGN {
        methods.extend(paths(foreign));
    }
    let ruled: BTreeSet<String> = rules
        .all()
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .collect();
    assert_eq!(ruled, methods, "rules and methods");
}

/// That the test above can fail.
#[test]
fn a_method_without_a_rule_is_found() {
    let mut set = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).expect("descriptors");
    // prost's types do not know the option, and drop it.
    let bytes = set.encode_to_vec();
    let rules = Rules::read(&bytes).expect("descriptors");
    assert_eq!(rules.without().len(), paths(proto::DESCRIPTORS).len());
    set.file.clear();
    assert!(
        Rules::read(&set.encode_to_vec())
            .expect("nothing")
            .all()
            .is_empty()
    );
}

#[test]
fn only_health_and_reflection_need_no_token() {
    for (path, rule) in rules().all() {
        let foreign = path.starts_with("/grpc.");
        assert_eq!(rule.public, foreign, "{path}");
    }
}

/// What is of an area is told apart by it in every method that names one.
#[test]
fn every_request_with_an_area_is_scoped_by_it() {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors");
    let rules = rules();
    for method in pool
        .services()
        .flat_map(|s| s.methods().collect::<Vec<_>>())
    {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let rule = rules.get(&path).expect("a rule");
        let names = method.input().get_field_by_name("area").is_some();
        let scoped = rule.area.as_ref().map(|path| path.text.as_str());
        assert_eq!(scoped, names.then_some("area"), "{path}");
    }
}

/// Auditors look and operators run; nobody else changes the suite itself.
#[test]
fn auditors_change_nothing() {
    for (path, rule) in rules().all() {
        let method = path.rsplit('/').next().expect("a method");
        let reads = ["Get", "List", "Read", "Download"]
            .iter()
            .any(|verb| method.starts_with(verb));
        if rule.roles.contains(&Role::Auditor) {
            assert!(reads, "{path}");
        }
        if !rule.public {
            assert!(rule.roles.contains(&Role::Operator), "{path}");
        }
    }
}

fn caller(roles: &[Role], areas: Areas) -> Caller {
    Caller {
        subject: "somebody".to_owned(),
        sub: "somebody".to_owned(),
        roles: roles.to_vec(),
        acting: None,
        areas,
        carrier: Some("acme".to_owned()),
        household: Some("h-1".to_owned()),
        token_id: None,
        issued_secs: None,
        expires_secs: 0,
    }
}

fn roles() -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(|role| *role != Role::System)
}

#[test]
fn every_role_is_let_in_where_the_table_says_so_and_nowhere_else() {
    for (path, rule) in rules().all() {
        let rule = Arc::new(rule.clone());
        for role in roles() {
            let admitted = Rules::admit(&rule, caller(&[role], Areas::All), None);
            let wanted = rule.roles.contains(&role);
            assert_eq!(admitted.is_ok(), wanted, "{path} by {role}");
            match admitted {
                Ok((caller, _)) => assert_eq!(caller.acting, Some(role)),
                Err(refusal) => assert_eq!(refusal.reason(), "ROLE_NOT_ALLOWED"),
            }
        }
    }
}

#[test]
fn of_several_roles_one_that_may_is_taken_or_the_one_that_was_named() {
    let rule = Arc::new(Rule {
        roles: vec![Role::Member, Role::Cadre],
        ..Rule::default()
    });
    let both = || caller(&[Role::Resident, Role::Cadre, Role::Member], Areas::All);
    let acting = |wanted| Rules::admit(&rule, both(), wanted).map(|(caller, _)| caller.acting);
    assert_eq!(acting(None), Ok(Some(Role::Cadre)));
    assert_eq!(acting(Some(Role::Member)), Ok(Some(Role::Member)));
    assert!(matches!(
        acting(Some(Role::Resident)),
        Err(Refusal::Role { .. })
    ));
    assert_eq!(acting(Some(Role::Operator)), Err(Refusal::OtherRole));
}

#[test]
fn whoever_is_limited_to_areas_reads_no_log() {
    let rules = rules();
    let rule = rules
        .get("/baogong.log.v1.LogService/Read")
        .expect("a rule");
    let some = Areas::parse(&["310115"]).expect("a code");
    let refused = Rules::admit(rule, caller(&[Role::Auditor], some), None).err();
    assert_eq!(refused, Some(Refusal::AllAreas));
    assert!(Rules::admit(rule, caller(&[Role::Auditor], Areas::All), None).is_ok());
}

#[test]
fn a_resident_names_his_own_household_only() {
    let rules = rules();
    let rule = rules
        .get("/baogong.order.v1.OrderService/PlaceOrder")
        .expect("a rule");
    let request = |household: &str| {
        let request = proto::order::v1::PlaceOrderRequest {
            area: "310115132".to_owned(),
            household_id: household.to_owned(),
            ..Default::default()
        };
        request.encode_to_vec()
    };
    let check = |role, household| {
        let (_, scope) = Rules::admit(rule, caller(&[role], Areas::All), None).expect("let in");
        scope.check(&request(household))
    };
    assert_eq!(check(Role::Resident, "h-1"), Ok(()));
    let refused = Err(Refusal::Household("household_id".to_owned()));
    assert_eq!(check(Role::Resident, "h-2"), refused);
    assert_eq!(check(Role::Resident, ""), refused);
    assert_eq!(check(Role::Member, "h-2"), Ok(()));
}

#[test]
fn growers_and_buyers_name_only_themselves() {
    use proto::inventory::v1::{ConfirmPurchaseRequest, ListSalesRequest, OfferSurplusRequest};
    let rules = rules();
    let area = || "321202002".to_owned();
    let offer = |grower: &str| {
        let (grower_id, area) = (grower.to_owned(), area());
        let request = OfferSurplusRequest {
            grower_id,
            area,
            ..Default::default()
        };
        ("OfferSurplus", "grower_id", request.encode_to_vec())
    };
    let sales = |grower: &str| {
        let (grower_id, area) = (grower.to_owned(), area());
        let request = ListSalesRequest {
            grower_id,
            area,
            ..Default::default()
        };
        ("ListSales", "grower_id", request.encode_to_vec())
    };
    let purchase = |buyer: &str| {
        let (buyer_id, area) = (buyer.to_owned(), area());
        let request = ConfirmPurchaseRequest {
            buyer_id,
            area,
            ..Default::default()
        };
        ("ConfirmPurchase", "buyer_id", request.encode_to_vec())
    };
    let check = |role, (method, _, request): &(&str, &str, Vec<u8>)| {
        let path = format!("/baogong.inventory.v1.SurplusService/{method}");
        let rule = rules.get(&path).expect("a rule");
        let (_, scope) = Rules::admit(rule, caller(&[role], Areas::All), None).expect("let in");
        scope.check(request)
    };
    for own in [offer("somebody"), sales("somebody"), purchase("somebody")] {
        assert_eq!(check(Role::Resident, &own), Ok(()), "{}", own.0);
    }
    for other in ["another", ""] {
        for request in [offer(other), sales(other), purchase(other)] {
            let refused = Err(Refusal::Subject(request.1.to_owned()));
            assert_eq!(check(Role::Resident, &request), refused, "{}", request.0);
            assert_eq!(check(Role::Dispatcher, &request), Ok(()), "{}", request.0);
        }
    }
}

const LETTERS: [(Role, char); 8] = [
    (Role::Resident, 'r'),
    (Role::Cadre, 'c'),
    (Role::Member, 'm'),
    (Role::Keeper, 'k'),
    (Role::Dispatcher, 'd'),
    (Role::Carrier, 'x'),
    (Role::Auditor, 'a'),
    (Role::Operator, 'o'),
];

/// The table of docs/ACCESS.md.
fn table(rules: &Rules) -> String {
    let mut table = "| method | who | scope |\n|---|---|---|\n".to_owned();
    for (path, rule) in rules.all() {
        let who: String = if rule.public {
            "everybody".to_owned()
        } else {
            let letters = LETTERS.iter().map(|(role, letter)| {
                if rule.roles.contains(role) {
                    *letter
                } else {
                    '·'
                }
            });
            format!("`{}`", letters.collect::<String>())
        };
        let scopes = [
            (rule.area.is_some(), "area"),
            (rule.all_areas, "all areas"),
            (rule.household.is_some(), "household"),
            (rule.carrier.is_some(), "carrier"),
            (rule.subject.is_some(), "subject"),
            (rule.owner_checked, "owner"),
        ];
        let scopes = scopes.iter().filter(|(has, _)| *has).map(|(_, name)| *name);
        let scopes: Vec<&str> = scopes.collect();
        let name = path.trim_start_matches('/').trim_start_matches("baogong.");
        table += &format!("| {name} | {who} | {} |\n", scopes.join(", "));
    }
    table
}

/// `BAOGONG_WRITE_ACCESS_TABLE=1` writes it.
#[test]
fn the_documents_table_is_the_protos() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ACCESS.md");
    let text = std::fs::read_to_string(path).expect("docs/ACCESS.md");
    let (before, rest) = text.split_once("<!-- table -->\n").expect("a mark");
    let (now, after) = rest.split_once("<!-- end -->").expect("a mark");
    let table = table(&rules());
    if std::env::var_os("BAOGONG_WRITE_ACCESS_TABLE").is_some() {
        let text = format!("{before}<!-- table -->\n{table}<!-- end -->{after}");
        std::fs::write(path, text).expect("written");
    } else {
        assert!(
            now == table,
            "run this test with BAOGONG_WRITE_ACCESS_TABLE=1"
        );
    }
}
