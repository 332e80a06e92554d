//! Random things to ask for and to hear. Ids are picked from few, so that steps
//! meet one another.

use decider::{Service, Timestamp};
use order_domain::{Command, Intake, OpenGroupBuy, OrderFilter, PlaceOrder, RegisterHousehold};
use proptest::prelude::*;
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent,
    inventory::v1 as inventory,
    logistics::v1 as logistics,
    order::v1::Offer,
    types::v1::{Door, Line, Need},
};

use crate::world::{World, areas};

#[derive(Debug, Clone)]
pub struct Step {
    area: usize,
    pick: usize,
    number: u32,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Activate,
    End,
    Register,
    Update,
    HandOver,
    OpenGroupBuy,
    CloseGroupBuy,
    Join,
    Place,
    Cancel,
    Reserved,
    DemandRejected,
    Disinfected,
    RunStarted,
    DoorLeft,
    Collected,
    AttemptFailed,
    Rescheduled,
    Returned,
    Elapse,
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    use What::*;
    let what = prop_oneof![
        2 => Just(Activate),
        1 => Just(End),
        14 => Just(Register),
        1 => Just(Update),
        2 => Just(HandOver),
        3 => Just(OpenGroupBuy),
        1 => Just(CloseGroupBuy),
        12 => Just(Join),
        14 => Just(Place),
        3 => Just(Cancel),
        8 => Just(Reserved),
        1 => Just(DemandRejected),
        10 => Just(Disinfected),
        10 => Just(RunStarted),
        8 => Just(DoorLeft),
        6 => Just(Collected),
        2 => Just(AttemptFailed),
        2 => Just(Rescheduled),
        1 => Just(Returned),
        4 => Just(Elapse),
    ];
    // Most of it in one area, so that a history comes about.
    let area = prop_oneof![5 => Just(0_usize), 1 => Just(1_usize)];
    let step = (area, 0..64_usize, 0..40_u32, what).prop_map(|(area, pick, number, what)| Step {
        area,
        pick,
        number,
        what,
    });
    prop::collection::vec(step, 0..240)
}

impl World {
    pub fn play(&mut self, step: &Step) {
        let Step {
            area,
            pick,
            number,
            what,
        } = *step;
        self.within(area);
        if let What::Elapse = what {
            self.elapse(self.now.plus_minutes(i64::from(number) * 10));
        } else if let Some(command) = self.command(step) {
            let _ = self.run(&command);
        } else {
            let (service, fact) = self.fact(what, area, pick, number);
            self.hear(service, fact);
        }
    }

    fn command(&self, step: &Step) -> Option<Command> {
        let (pick, number) = (step.pick, step.number);
        let group_buy_id = || self.group_buy(step.area, pick).as_str().into();
        Some(match step.what {
            What::Activate => Command::ActivateContingency {
                reason: "static management".into(),
            },
            What::End => Command::EndContingency,
            What::Register => Command::RegisterHousehold(register(pick, number)),
            What::Update => Command::UpdateHousehold {
                household_id: household(pick).into(),
                contact: None,
                needs: Some(vec![if number.is_multiple_of(2) {
                    Need::Elderly
                } else {
                    Need::Expecting
                }]),
            },
            What::HandOver => Command::HandOverHouseholds {
                from_cadre_id: cadre(number).into(),
                to_cadre_id: cadre(number / 3).into(),
                household_ids: if pick % 2 == 0 {
                    vec![]
                } else {
                    vec![household(pick).into()]
                },
                reason: "absent".into(),
            },
            What::OpenGroupBuy => Command::OpenGroupBuy(open(self.now, number)),
            What::CloseGroupBuy => Command::CloseGroupBuy {
                group_buy_id: group_buy_id(),
            },
            What::Join => place(pick, number, Intake::GroupBuy(group_buy_id())),
            What::Place => place(pick, number, Intake::Phone),
            What::Cancel => Command::CancelOrder {
                order_id: self.order(step.area, pick).into(),
                note: String::new(),
            },
            _ => return None,
        })
    }

    fn fact(&self, what: What, area: usize, pick: usize, number: u32) -> (Service, AnyEvent) {
        let order_id = self.order(area, pick);
        let short = if number.is_multiple_of(5) {
            vec![line("rice", 1)]
        } else {
            vec![]
        };
        let fact = match what {
            What::Reserved => InventoryEvent::from(inventory::StockReserved {
                order_id,
                allocations: vec![],
                short,
            }),
            What::DemandRejected => InventoryEvent::from(inventory::DemandRejected {
                order_id,
                reason: "OUT_OF_STOCK".into(),
            }),
            _ => {
                let fact = self.logistics_fact(what, order_id, area, pick);
                return (Service::Logistics, AnyEvent::Logistics(fact));
            }
        };
        (Service::Inventory, AnyEvent::Inventory(fact))
    }

    fn logistics_fact(
        &self,
        what: What,
        order_id: String,
        area: usize,
        pick: usize,
    ) -> LogisticsEvent {
        let reason = logistics::ExceptionCode::Unreachable.into();
        match what {
            What::Disinfected => logistics::ParcelDisinfected {
                order_id,
                ..Default::default()
            }
            .into(),
            What::RunStarted => logistics::RunStarted {
                run_id: "r1".into(),
                order_ids: vec![order_id, self.order(area, pick + 1)],
                ..Default::default()
            }
            .into(),
            What::DoorLeft => logistics::DoorLeft {
                order_id,
                ..Default::default()
            }
            .into(),
            What::Collected => logistics::DeliveryCollected {
                order_id,
                evidence: "receipt".into(),
            }
            .into(),
            What::AttemptFailed => logistics::AttemptFailed {
                order_id,
                reason,
                ..Default::default()
            }
            .into(),
            What::Rescheduled => logistics::DeliveryRescheduled {
                order_id,
                attempt: 2,
            }
            .into(),
            _ => logistics::ParcelReturned { order_id, reason }.into(),
        }
    }

    fn order(&self, area: usize, pick: usize) -> String {
        let orders = self
            .state
            .orders(&areas()[area % 2], OrderFilter::default(), None);
        let ids: Vec<_> = orders.map(|order| order.order_id.to_string()).collect();
        picked(&ids, pick)
    }

    fn group_buy(&self, area: usize, pick: usize) -> String {
        let group_buys = self.state.group_buys(&areas()[area % 2], None, None);
        let ids: Vec<_> = group_buys.map(|g| g.group_buy_id.to_string()).collect();
        picked(&ids, pick)
    }
}

/// One of them, or now and then an id that nobody knows.
fn picked(ids: &[String], pick: usize) -> String {
    let unknown = || "unknown".to_owned();
    if pick == 0 || ids.is_empty() {
        return unknown();
    }
    ids[pick % ids.len()].clone()
}

fn household(pick: usize) -> String {
    format!("H{:02}", pick % 8)
}

fn cadre(number: u32) -> String {
    format!("C{}", number % 3)
}

pub fn line(product: &str, quantity_units: i64) -> Line {
    Line {
        product_id: product.into(),
        quantity_units,
    }
}

pub fn door(number: u32) -> Door {
    Door {
        community: format!("c{}", number % 2),
        grid: format!("G{}", number % 3),
        building: "B1".into(),
        entrance: "E1".into(),
        door: number.to_string(),
    }
}

fn register(pick: usize, number: u32) -> RegisterHousehold {
    RegisterHousehold {
        household_id: household(pick).into(),
        door: door(number),
        contact: None,
        needs: vec![],
        cadre_id: cadre(number).into(),
        language: "zh".into(),
        people: 2,
    }
}

fn open(now: Timestamp, number: u32) -> OpenGroupBuy {
    OpenGroupBuy {
        title: "Rice".into(),
        organizer_id: "organizer-1".into(),
        offers: vec![Offer {
            product_id: "rice".into(),
            price_fen: 2_500,
            limit_per_household_units: 3,
        }],
        minimum_households: number % 5,
        cap_households: number.is_multiple_of(3).then_some(number % 7),
        opens: number.is_multiple_of(4).then(|| now.plus_minutes(10)),
        closes: now.plus_minutes(i64::from(number) * 15),
        community: if number.is_multiple_of(2) {
            String::new()
        } else {
            "c1".into()
        },
        grid: String::new(),
        tolerance_percent: u8::try_from(number).expect("small") * 2,
    }
}

fn place(pick: usize, number: u32, intake: Intake) -> Command {
    // Also quantities that no request parser would let through.
    let quantity = match number {
        38 => i64::MAX,
        39 => i64::MIN,
        number => i64::from(number % 5),
    };
    Command::PlaceOrder(PlaceOrder {
        household_id: household(pick).into(),
        lines: vec![line("rice", quantity), line("rice", 1)],
        intake,
        placed_by: String::new(),
    })
}
