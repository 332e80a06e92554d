//! From request messages to commands that cannot be malformed.

use std::collections::HashSet;

use decider::Service;
use order_domain::{Command, HouseholdId, Intake, OpenGroupBuy, PlaceOrder};
use proto::{
    order::v1::{
        CancelOrderRequest, Channel, CloseGroupBuyRequest, Contact, EraseHouseholdRequest,
        HandOverHouseholdsRequest, OpenGroupBuyRequest, PlaceOrderRequest,
        RegisterHouseholdRequest, UpdateHouseholdRequest,
    },
    types::v1::{Door, Line, Need},
};
use service_kit::fields::{Fields, shown};
use tonic::Status;

const SERVICE: Service = Service::Order;
/// Units of one product in one order.
const LINE_UNITS_MAX: i64 = 1000;
const LINES_MAX: usize = 50;
/// Households named in one hand-over.
const HAND_OVER_MAX: usize = order_domain::HAND_OVER_HOUSEHOLDS_MAX;

/// A household that may be registered once its contact is sealed.
pub struct Registration {
    pub household_id: String,
    pub door: Door,
    pub contact: Contact,
    pub needs: Vec<Need>,
    pub cadre_id: String,
    pub language: String,
    pub people: i32,
}

pub fn register_household(request: &RegisterHouseholdRequest) -> Result<Registration, Status> {
    let mut fields = Fields::new();
    let given = fields.needed("door", request.door.as_ref());
    let registration = Registration {
        household_id: fields.code("household_id", &request.household_id),
        door: if request.door.is_some() {
            door(&mut fields, &given)
        } else {
            given
        },
        contact: match &request.contact {
            Some(given) => contact(&mut fields, given),
            None => fields.needed("contact", None),
        },
        needs: needs(&mut fields, "needs", &request.needs),
        cadre_id: fields.code("cadre_id", &request.cadre_id),
        language: language(&mut fields, &request.language),
        people: match request.people {
            0 => 1,
            people => fields.number("people", people, 1..=50),
        },
    };
    fields.finish(SERVICE)?;
    Ok(registration)
}

/// What an update changes; the contact is not sealed yet.
pub struct Update {
    pub household_id: String,
    pub contact: Option<Contact>,
    pub needs: Option<Vec<Need>>,
}

pub fn update_household(request: &UpdateHouseholdRequest) -> Result<Update, Status> {
    let mut fields = Fields::new();
    let update = Update {
        household_id: fields.code("household_id", &request.household_id),
        contact: request
            .contact
            .as_ref()
            .map(|given| contact(&mut fields, given)),
        needs: request
            .needs
            .as_ref()
            .map(|list| needs(&mut fields, "needs.needs", &list.needs)),
    };
    fields.check(
        update.contact.is_some() || update.needs.is_some(),
        "contact",
        "or needs must be set: nothing would change",
    );
    fields.finish(SERVICE)?;
    Ok(update)
}

pub fn hand_over(request: &HandOverHouseholdsRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    fields.list("household_ids", &request.household_ids, 0..=HAND_OVER_MAX);
    let command = Command::HandOverHouseholds {
        from_cadre_id: fields.code("from_cadre_id", &request.from_cadre_id).into(),
        to_cadre_id: fields.code("to_cadre_id", &request.to_cadre_id).into(),
        household_ids: request
            .household_ids
            .iter()
            .map(|id| HouseholdId::from(fields.code("household_ids", id)))
            .collect(),
        reason: fields.text("reason", &request.reason, 1..=200),
    };
    fields.finish(SERVICE)?;
    Ok(command)
}

pub fn erase_household(request: &EraseHouseholdRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let command = Command::EraseHousehold {
        household_id: fields.code("household_id", &request.household_id).into(),
        reason: fields.reason_code("reason", &request.reason),
        force: request.force,
    };
    fields.finish(SERVICE)?;
    Ok(command)
}

pub fn open_group_buy(request: &OpenGroupBuyRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    fields.list("offers", &request.offers, 1..=LINES_MAX);
    let mut seen = HashSet::new();
    for (n, offer) in request.offers.iter().enumerate() {
        fields.code(&format!("offers[{n}].product_id"), &offer.product_id);
        if !seen.insert(&offer.product_id) {
            fields.wrong(
                format!("offers[{n}].product_id"),
                format!("`{}` is offered twice", shown(&offer.product_id)),
            );
        }
        fields.number(
            &format!("offers[{n}].price_fen"),
            offer.price_fen,
            0..=10_000_000,
        );
        fields.number(
            &format!("offers[{n}].limit_per_household_units"),
            offer.limit_per_household_units,
            0..=LINE_UNITS_MAX,
        );
    }
    let minimum = fields.number(
        "minimum_households",
        request.minimum_households,
        1..=100_000,
    );
    let cap = fields.number("cap_households", request.cap_households, 0..=1_000_000);
    let tolerance = fields.number("tolerance_percent", request.tolerance_percent, 0..=100);
    let command = OpenGroupBuy {
        title: fields.text("title", &request.title, 1..=100),
        organizer_id: fields.code("organizer_id", &request.organizer_id),
        offers: request.offers.clone(),
        minimum_households: minimum.unsigned_abs(),
        cap_households: (cap > 0).then_some(cap.unsigned_abs()),
        opens: fields.optional_time("opens_time", request.opens_time.as_ref()),
        closes: fields.time("closes_time", request.closes_time.as_ref()),
        community: fields.code("community", &request.community),
        grid: fields
            .optional_code("grid", &request.grid)
            .unwrap_or_default(),
        tolerance_percent: u8::try_from(tolerance).unwrap_or_default(),
    };
    fields.finish(SERVICE)?;
    Ok(Command::OpenGroupBuy(command))
}

pub fn close_group_buy(request: &CloseGroupBuyRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let group_buy_id = fields.code("group_buy_id", &request.group_buy_id);
    fields.finish(SERVICE)?;
    Ok(Command::CloseGroupBuy {
        group_buy_id: group_buy_id.into(),
    })
}

pub fn place_order(request: &PlaceOrderRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let household_id = fields.code("household_id", &request.household_id);
    lines(&mut fields, &request.lines);
    let channel: Channel = fields.choice("channel", request.channel);
    let group_buy_id = fields.optional_code("group_buy_id", &request.group_buy_id);
    let placed_by = fields.optional_code("placed_by", &request.placed_by);
    if channel != Channel::GroupBuy {
        fields.check(
            group_buy_id.is_none(),
            "group_buy_id",
            "goes with CHANNEL_GROUP_BUY only",
        );
    }
    let intake = match channel {
        Channel::GroupBuy => {
            let id = group_buy_id.unwrap_or_default();
            fields.check(
                !id.is_empty(),
                "group_buy_id",
                "is needed with CHANNEL_GROUP_BUY",
            );
            Intake::GroupBuy(id.into())
        }
        Channel::Phone | Channel::Door => {
            fields.check(
                placed_by.is_some(),
                "placed_by",
                "is needed with CHANNEL_PHONE and CHANNEL_DOOR: who wrote the order down",
            );
            if channel == Channel::Phone {
                Intake::Phone
            } else {
                Intake::Door
            }
        }
        Channel::Chat | Channel::Unspecified => Intake::Chat,
    };
    fields.finish(SERVICE)?;
    Ok(Command::PlaceOrder(PlaceOrder {
        household_id: household_id.into(),
        lines: request.lines.clone(),
        intake,
        placed_by: placed_by.unwrap_or_default(),
    }))
}

pub fn cancel_order(request: &CancelOrderRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let command = Command::CancelOrder {
        order_id: fields.code("order_id", &request.order_id).into(),
        note: fields.text("note", &request.note, 0..=200),
    };
    fields.finish(SERVICE)?;
    Ok(command)
}

/// One text of a length.
pub fn text(field: &str, value: &str, max: usize) -> Result<String, Status> {
    let mut fields = Fields::new();
    let text = fields.text(field, value, 1..=max);
    fields.finish(SERVICE)?;
    Ok(text)
}

fn lines(fields: &mut Fields, lines: &[Line]) {
    fields.list("lines", lines, 1..=LINES_MAX);
    let mut seen = HashSet::new();
    for (n, line) in lines.iter().enumerate() {
        fields.code(&format!("lines[{n}].product_id"), &line.product_id);
        fields.number(
            &format!("lines[{n}].quantity_units"),
            line.quantity_units,
            1..=LINE_UNITS_MAX,
        );
        if !seen.insert(&line.product_id) {
            fields.wrong(
                format!("lines[{n}].product_id"),
                format!(
                    "`{}` is named twice; add the quantities",
                    shown(&line.product_id)
                ),
            );
        }
    }
}

fn door(fields: &mut Fields, door: &Door) -> Door {
    Door {
        community: fields.code("door.community", &door.community),
        grid: fields.code("door.grid", &door.grid),
        building: fields.code("door.building", &door.building),
        entrance: fields.code("door.entrance", &door.entrance),
        door: fields.code("door.door", &door.door),
    }
}

fn contact(fields: &mut Fields, contact: &Contact) -> Contact {
    let digits = contact.phone.strip_prefix('+').unwrap_or(&contact.phone);
    fields.check(
        (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()),
        "contact.phone",
        "must have 3 to 15 digits, with or without a leading plus",
    );
    fields.check(
        contact.email.is_empty()
            || (contact.email.contains('@')
                && contact.email.len() <= 254
                && contact.email.is_ascii()),
        "contact.email",
        "must be an e-mail address of at most 254 characters, or empty",
    );
    Contact {
        name: fields.sealed_text("contact.name", &contact.name, 1..=100),
        phone: contact.phone.clone(),
        address: fields.sealed_text("contact.address", &contact.address, 0..=300),
        email: contact.email.clone(),
    }
}

fn needs(fields: &mut Fields, field: &str, values: &[i32]) -> Vec<Need> {
    fields.list(field, values, 0..=16);
    values
        .iter()
        .map(|value| fields.choice(field, *value))
        .collect()
}

fn language(fields: &mut Fields, language: &str) -> String {
    match language {
        "" => "zh".to_owned(),
        "zh" | "en" => language.to_owned(),
        _ => {
            fields.wrong(
                "language",
                format!("is `{}`; zh or en are possible", shown(language)),
            );
            String::new()
        }
    }
}
