//! Each kind of change on a small hand-made descriptor set: what is refused,
//! in which words, and what passes.

use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, OneofDescriptorProto,
    ServiceDescriptorProto,
    descriptor_proto::ReservedRange,
    enum_descriptor_proto::EnumReservedRange,
    field_descriptor_proto::{Label, Type},
};

use crate::compat::check;

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.into()),
        json_name: Some(name.into()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    }
}

fn value(name: &str, number: i32) -> EnumValueDescriptorProto {
    EnumValueDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        options: None,
    }
}

fn method(name: &str) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.into()),
        input_type: Some(".baogong.shop.v1.Parcel".into()),
        output_type: Some(".baogong.shop.v1.Parcel".into()),
        ..MethodDescriptorProto::default()
    }
}

/// Message `Parcel` (with a nested `Label`), enum `State`, service `Shop`.
fn sample() -> FileDescriptorSet {
    let parcel = DescriptorProto {
        name: Some("Parcel".into()),
        field: vec![
            field("id", 1, Type::String),
            field("grams", 2, Type::Int64),
            FieldDescriptorProto {
                oneof_index: Some(0),
                ..field("door", 3, Type::String)
            },
        ],
        nested_type: vec![DescriptorProto {
            name: Some("Label".into()),
            field: vec![field("text", 1, Type::String)],
            ..DescriptorProto::default()
        }],
        oneof_decl: vec![OneofDescriptorProto {
            name: Some("target".into()),
            options: None,
        }],
        reserved_range: vec![ReservedRange {
            start: Some(8),
            end: Some(11),
        }],
        reserved_name: vec!["weight".into()],
        ..DescriptorProto::default()
    };
    let state = EnumDescriptorProto {
        name: Some("State".into()),
        value: vec![value("STATE_UNSPECIFIED", 0), value("STATE_PACKED", 1)],
        reserved_range: vec![EnumReservedRange {
            start: Some(5),
            end: Some(6),
        }],
        ..EnumDescriptorProto::default()
    };
    let shop = ServiceDescriptorProto {
        name: Some("Shop".into()),
        method: vec![method("Pack")],
        options: None,
    };
    let file = |name: &str, package: &str| FileDescriptorProto {
        name: Some(name.into()),
        package: Some(package.into()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet {
        file: vec![
            file("google/any.proto", "google.sample"),
            FileDescriptorProto {
                message_type: vec![parcel],
                enum_type: vec![state],
                service: vec![shop],
                ..file("baogong/shop.proto", "baogong.shop.v1")
            },
        ],
    }
}

/// What is reported after a change to the sample's own file.
fn after(change: impl FnOnce(&mut FileDescriptorProto)) -> Vec<String> {
    let mut new = sample();
    change(&mut new.file[1]);
    let places = check(&sample(), &new);
    places
        .iter()
        .map(|found| format!("{}: {}", found.place, found.what))
        .collect()
}

#[test]
fn nothing_changed_is_fine() {
    assert_eq!(after(|_| ()), [""; 0]);
}

#[test]
fn additions_are_fine() {
    let found = after(|file| {
        file.message_type[0]
            .field
            .push(field("note", 4, Type::String));
        file.message_type[0].field.push(FieldDescriptorProto {
            oneof_index: Some(0),
            ..field("entrance", 5, Type::String)
        });
        file.message_type.push(DescriptorProto {
            name: Some("Crate".into()),
            ..DescriptorProto::default()
        });
        file.enum_type[0].value.push(value("STATE_SENT", 2));
        file.service[0].method.push(method("Send"));
        file.message_type[0].reserved_name.push("colour".into());
        file.message_type[0].reserved_range[0].end = Some(20);
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_message_may_move_to_another_file_of_its_package() {
    let mut new = sample();
    let parcel = new.file[1].message_type.remove(0);
    new.file.push(FileDescriptorProto {
        name: Some("baogong/parcel.proto".into()),
        package: Some("baogong.shop.v1".into()),
        message_type: vec![parcel],
        ..FileDescriptorProto::default()
    });
    assert_eq!(check(&sample(), &new), []);
}

#[test]
fn others_packages_do_not_count() {
    let mut new = sample();
    new.file.remove(0);
    assert_eq!(check(&sample(), &new), []);
}

#[test]
fn a_changed_package_is_reported_once() {
    assert_eq!(
        after(|file| file.package = Some("baogong.shop.v2".into())),
        ["baogong/shop.proto: the package changed from baogong.shop.v1 to baogong.shop.v2"]
    );
}

#[test]
fn removed_messages_enums_services_and_methods() {
    assert_eq!(
        after(|file| file.message_type.clear()),
        [
            "baogong.shop.v1.Parcel: the message was removed",
            "baogong.shop.v1.Parcel.Label: the message was removed",
        ]
    );
    assert_eq!(
        after(|file| file.message_type[0].nested_type.clear()),
        ["baogong.shop.v1.Parcel.Label: the message was removed"]
    );
    assert_eq!(
        after(|file| file.enum_type.clear()),
        ["baogong.shop.v1.State: the enum was removed"]
    );
    assert_eq!(
        after(|file| file.service.clear()),
        ["baogong.shop.v1.Shop: the service was removed"]
    );
    assert_eq!(
        after(|file| file.service[0].method.clear()),
        ["baogong.shop.v1.Shop.Pack: the method was removed"]
    );
}

#[test]
fn a_removed_field_even_when_reserved() {
    let found = after(|file| {
        let parcel = &mut file.message_type[0];
        parcel.field.remove(1);
        parcel.reserved_name.push("grams".into());
        parcel.reserved_range.push(ReservedRange {
            start: Some(2),
            end: Some(3),
        });
    });
    assert_eq!(found, ["baogong.shop.v1.Parcel.grams: field 2 was removed"]);
}

#[test]
fn a_renumbered_or_renamed_field() {
    assert_eq!(
        after(|file| file.message_type[0].field[1].number = Some(7)),
        ["baogong.shop.v1.Parcel.grams: the number changed from 2 to 7"]
    );
    assert_eq!(
        after(|file| file.message_type[0].field[1] = field("mass", 2, Type::Int64)),
        ["baogong.shop.v1.Parcel.grams: the name of field 2 changed from grams to mass"]
    );
    assert_eq!(
        after(|file| file.message_type[0].field[1].json_name = Some("g".into())),
        ["baogong.shop.v1.Parcel.grams: the JSON name changed from grams to g"]
    );
}

#[test]
fn a_changed_type_of_a_field() {
    assert_eq!(
        after(|file| file.message_type[0].field[1].r#type = Some(Type::Sint64.into())),
        ["baogong.shop.v1.Parcel.grams: the type changed from int64 to sint64"]
    );
    let found = after(|file| {
        let grams = &mut file.message_type[0].field[1];
        grams.r#type = Some(Type::Message.into());
        grams.type_name = Some(".baogong.shop.v1.Parcel.Label".into());
    });
    assert_eq!(
        found,
        [
            "baogong.shop.v1.Parcel.grams: the type changed from int64 to \
          baogong.shop.v1.Parcel.Label"
        ]
    );
}

#[test]
fn a_changed_cardinality_of_a_field() {
    assert_eq!(
        after(|file| file.message_type[0].field[1].label = Some(Label::Repeated.into())),
        ["baogong.shop.v1.Parcel.grams: the cardinality changed from singular to repeated"]
    );
    let found = after(|file| {
        let grams = &mut file.message_type[0].field[1];
        grams.proto3_optional = Some(true);
        grams.oneof_index = Some(1);
    });
    assert_eq!(
        found,
        ["baogong.shop.v1.Parcel.grams: the cardinality changed from singular to optional"]
    );
}

#[test]
fn a_field_that_enters_leaves_or_changes_its_oneof() {
    assert_eq!(
        after(|file| file.message_type[0].field[1].oneof_index = Some(0)),
        ["baogong.shop.v1.Parcel.grams: the oneof changed from none to target"]
    );
    assert_eq!(
        after(|file| file.message_type[0].field[2].oneof_index = None),
        ["baogong.shop.v1.Parcel.door: the oneof changed from target to none"]
    );
    assert_eq!(
        after(|file| file.message_type[0].oneof_decl[0].name = Some("goal".into())),
        ["baogong.shop.v1.Parcel.door: the oneof changed from target to goal"]
    );
}

#[test]
fn removed_renumbered_and_renamed_enum_values() {
    assert_eq!(
        after(|file| drop(file.enum_type[0].value.pop())),
        ["baogong.shop.v1.State.STATE_PACKED: value 1 was removed"]
    );
    assert_eq!(
        after(|file| file.enum_type[0].value[1].number = Some(2)),
        ["baogong.shop.v1.State.STATE_PACKED: the number changed from 1 to 2"]
    );
    assert_eq!(
        after(|file| file.enum_type[0].value[1].name = Some("STATE_BAGGED".into())),
        [
            "baogong.shop.v1.State.STATE_PACKED: the name of value 1 changed from STATE_PACKED to \
          STATE_BAGGED"
        ]
    );
}

#[test]
fn what_was_reserved_stays_reserved() {
    assert_eq!(
        after(|file| file.message_type[0].reserved_range[0].end = Some(10)),
        ["baogong.shop.v1.Parcel: number 10 is no longer reserved"]
    );
    assert_eq!(
        after(|file| file.message_type[0].reserved_name.clear()),
        ["baogong.shop.v1.Parcel: name `weight` is no longer reserved"]
    );
    assert_eq!(
        after(|file| file.enum_type[0].reserved_range.clear()),
        ["baogong.shop.v1.State: number 5 is no longer reserved"]
    );
    let split = after(|file| {
        let range = |start, end| ReservedRange {
            start: Some(start),
            end: Some(end),
        };
        file.message_type[0].reserved_range = vec![range(10, 30), range(8, 10)];
    });
    assert_eq!(split, [""; 0]);
}

#[test]
fn changed_types_and_streaming_of_a_method() {
    let other = || Some(".baogong.shop.v1.Parcel.Label".to_owned());
    assert_eq!(
        after(|file| file.service[0].method[0].input_type = other()),
        [
            "baogong.shop.v1.Shop.Pack: the request type changed from .baogong.shop.v1.Parcel to \
          .baogong.shop.v1.Parcel.Label"
        ]
    );
    assert_eq!(
        after(|file| file.service[0].method[0].output_type = other()),
        [
            "baogong.shop.v1.Shop.Pack: the response type changed from .baogong.shop.v1.Parcel to \
          .baogong.shop.v1.Parcel.Label"
        ]
    );
    assert_eq!(
        after(|file| file.service[0].method[0].client_streaming = Some(true)),
        ["baogong.shop.v1.Shop.Pack: the requests changed from a single message to a stream"]
    );
    assert_eq!(
        after(|file| file.service[0].method[0].server_streaming = Some(true)),
        ["baogong.shop.v1.Shop.Pack: the responses changed from a single message to a stream"]
    );
}

#[test]
fn a_report_names_the_place_the_change_and_the_reason() {
    let mut new = sample();
    new.file[1].message_type[0].field[1].number = Some(7);
    assert_eq!(
        check(&sample(), &new)[0].to_string(),
        "baogong.shop.v1.Parcel.grams: the number changed from 2 to 7 (bytes that were written \
         before would be read wrongly)"
    );
}
