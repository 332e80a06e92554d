//! The same for what is asked about surplus.

use inventory_domain::{
    ANSWER_MINUTES, ChangeSurplus, Command, ConfirmMatch, FenPerKg, LOAD_WAIT_MINUTES,
    LOT_UNITS_MAX, OfferSurplus, OpenMatching, PRICE_MAX, PlaceBulkDemand, RefuseMatch,
    RegisterBuyer, SetReferencePrice, Units, WithdrawBulkDemand, WithdrawSurplus,
};
use proto::inventory::v1::{self as pb, MatchSide, Spot};
use service_kit::fields::Fields;
use tonic::Status;

use super::SERVICE;

/// Of a note, in characters.
const NOTE_MAX: usize = 200;

type Parsed = Result<Command, Status>;

pub fn set_reference_price(request: &pb::SetReferencePriceRequest) -> Parsed {
    let mut fields = Fields::new();
    let reference = request.reference_fen_per_kg;
    let command = SetReferencePrice {
        product_id: fields.code("product_id", &request.product_id),
        reference: price(&mut fields, "reference_fen_per_kg", reference),
        cap: price(&mut fields, "cap_fen_per_kg", request.cap_fen_per_kg),
        policy: fields.choice("policy", request.policy),
    };
    fields.finish(SERVICE)?;
    Ok(Command::SetReferencePrice(command))
}

pub fn offer_surplus(request: &pb::OfferSurplusRequest) -> Parsed {
    let mut fields = Fields::new();
    let reference = request.reference_fen_per_kg;
    let command = OfferSurplus {
        grower_id: fields.code("grower_id", &request.grower_id),
        product_id: fields.code("product_id", &request.product_id),
        quantity: quantity(&mut fields, request.quantity_units),
        grade: fields.choice("grade", request.grade),
        harvested: fields.time("harvested_time", request.harvested_time.as_ref()),
        field: spot(&mut fields, "field", request.field.as_ref()),
        from: fields.optional_time("from_time", request.from_time.as_ref()),
        to: fields.time("to_time", request.to_time.as_ref()),
        asking: price(&mut fields, "asking_fen_per_kg", request.asking_fen_per_kg),
        reference: (reference != 0).then(|| price(&mut fields, "reference_fen_per_kg", reference)),
    };
    fields.finish(SERVICE)?;
    Ok(Command::OfferSurplus(command))
}

pub fn change_surplus(request: &pb::ChangeSurplusRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = ChangeSurplus {
        grower_id: fields.code("grower_id", &request.grower_id),
        listing_id: fields.code("listing_id", &request.listing_id),
        quantity: quantity(&mut fields, request.quantity_units),
        grade: fields.choice("grade", request.grade),
        from: fields.optional_time("from_time", request.from_time.as_ref()),
        to: fields.time("to_time", request.to_time.as_ref()),
        asking: price(&mut fields, "asking_fen_per_kg", request.asking_fen_per_kg),
    };
    fields.finish(SERVICE)?;
    Ok(Command::ChangeSurplus(command))
}

pub fn withdraw_surplus(request: &pb::WithdrawSurplusRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = WithdrawSurplus {
        grower_id: fields.code("grower_id", &request.grower_id),
        listing_id: fields.code("listing_id", &request.listing_id),
    };
    fields.finish(SERVICE)?;
    Ok(Command::WithdrawSurplus(command))
}

pub fn register_buyer(request: &pb::RegisterBuyerRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = RegisterBuyer {
        buyer_id: fields.code("buyer_id", &request.buyer_id),
        name: fields.text("name", &request.name, 1..=100),
        place: spot(&mut fields, "place", request.place.as_ref()),
    };
    fields.finish(SERVICE)?;
    Ok(Command::RegisterBuyer(command))
}

pub fn place_bulk_demand(request: &pb::PlaceBulkDemandRequest) -> Parsed {
    let mut fields = Fields::new();
    let until = request.repeat_until_time.as_ref();
    let grade = fields.optional_choice("lowest_grade", request.lowest_grade);
    let command = PlaceBulkDemand {
        buyer_id: fields.code("buyer_id", &request.buyer_id),
        product_id: fields.code("product_id", &request.product_id),
        quantity: quantity(&mut fields, request.quantity_units),
        lowest_grade: grade.unwrap_or_default(),
        from: fields.time("from_time", request.from_time.as_ref()),
        to: fields.time("to_time", request.to_time.as_ref()),
        highest: price(
            &mut fields,
            "highest_fen_per_kg",
            request.highest_fen_per_kg,
        ),
        repeat_until: fields.optional_time("repeat_until_time", until),
    };
    fields.finish(SERVICE)?;
    Ok(Command::PlaceBulkDemand(command))
}

pub fn withdraw_bulk_demand(request: &pb::WithdrawBulkDemandRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = WithdrawBulkDemand {
        buyer_id: fields.code("buyer_id", &request.buyer_id),
        demand_id: fields.code("demand_id", &request.demand_id),
    };
    fields.finish(SERVICE)?;
    Ok(Command::WithdrawBulkDemand(command))
}

pub fn open_matching(request: &pb::OpenMatchingRequest) -> Parsed {
    let mut fields = Fields::new();
    let (answer, wait) = (request.answer_minutes, request.load_wait_minutes);
    let answer = if answer == 0 { ANSWER_MINUTES } else { answer };
    let wait = if wait == 0 { LOAD_WAIT_MINUTES } else { wait };
    let command = OpenMatching {
        answer_minutes: fields.number("answer_minutes", answer, 5..=1_440),
        load_wait_minutes: fields.number("load_wait_minutes", wait, 1..=720),
    };
    fields.finish(SERVICE)?;
    Ok(Command::OpenMatching(command))
}

pub fn confirm_sale(request: &pb::ConfirmSaleRequest) -> Parsed {
    let grower = ("grower_id", &*request.grower_id);
    confirm(MatchSide::Grower, grower, &request.match_id)
}

pub fn confirm_purchase(request: &pb::ConfirmPurchaseRequest) -> Parsed {
    let buyer = ("buyer_id", &*request.buyer_id);
    confirm(MatchSide::Buyer, buyer, &request.match_id)
}

fn confirm(side: MatchSide, (field, party_id): (&str, &str), match_id: &str) -> Parsed {
    let mut fields = Fields::new();
    let command = ConfirmMatch {
        match_id: fields.code("match_id", match_id),
        side,
        party_id: fields.code(field, party_id),
    };
    fields.finish(SERVICE)?;
    Ok(Command::ConfirmMatch(command))
}

pub fn refuse_sale(request: &pb::RefuseSaleRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = RefuseMatch {
        match_id: fields.code("match_id", &request.match_id),
        side: MatchSide::Grower,
        party_id: fields.code("grower_id", &request.grower_id),
        reason: fields.choice("reason", request.reason),
        note: fields.text("note", &request.note, 0..=NOTE_MAX),
    };
    fields.finish(SERVICE)?;
    Ok(Command::RefuseMatch(command))
}

pub fn refuse_purchase(request: &pb::RefusePurchaseRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = RefuseMatch {
        match_id: fields.code("match_id", &request.match_id),
        side: MatchSide::Buyer,
        party_id: fields.code("buyer_id", &request.buyer_id),
        reason: fields.choice("reason", request.reason),
        note: fields.text("note", &request.note, 0..=NOTE_MAX),
    };
    fields.finish(SERVICE)?;
    Ok(Command::RefuseMatch(command))
}

/// By what a list is chosen: ids that may be left out, and a state.
pub fn filter<E: TryFrom<i32> + Default + PartialEq, const N: usize>(
    ids: [(&str, &str); N],
    state: i32,
) -> Result<([Option<String>; N], E), Status> {
    let mut fields = Fields::new();
    let ids = ids.map(|(field, value)| fields.optional_code(field, value));
    let state = fields.optional_choice("state", state).unwrap_or_default();
    fields.finish(SERVICE)?;
    Ok((ids, state))
}

fn price(fields: &mut Fields, field: &str, fen: i64) -> FenPerKg {
    FenPerKg(fields.number(field, fen, 1..=PRICE_MAX.0))
}

fn quantity(fields: &mut Fields, units: i64) -> Units {
    Units(fields.number("quantity_units", units, 1..=LOT_UNITS_MAX.0))
}

fn spot(fields: &mut Fields, field: &str, value: Option<&Spot>) -> Spot {
    let spot = fields.needed(field, value);
    if value.is_some() {
        fields.code(&format!("{field}.place_id"), &spot.place_id);
        fields.code(&format!("{field}.zone"), &spot.zone);
    }
    spot
}
