//! Vehicle passes (S14): applied for with a certificate, issued for a time,
//! zones, a vehicle and a driver, and over when they expire or are revoked.

use std::collections::BTreeSet;

use decider::{Area, Context, Revision, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, PassState},
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    command::{ApplyForPass, ExpirePass, IssuePass, RefusePass, RevokePass},
    release,
};
use crate::state::Moment;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    pub pass_id: String,
    pub area: Area,
    pub carrier_id: String,
    pub vehicle_id: String,
    pub driver_id: String,
    pub zones: Vec<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub certificate_sha256: Vec<u8>,
    pub state: PassState,
    /// Why it was refused or revoked.
    pub reason: String,
    /// When it ceased to be valid before its time.
    pub ended: Option<Timestamp>,
    pub revision: Revision,
}

impl Pass {
    /// Why the pass does not cover this drive; none if it does.
    #[must_use]
    pub fn gap(
        &self,
        vehicle_id: &str,
        driver_id: &str,
        zones: &BTreeSet<&str>,
        at: Timestamp,
    ) -> Option<String> {
        let was_issued = matches!(
            self.state,
            PassState::Issued | PassState::Expired | PassState::Revoked
        );
        if !was_issued {
            let state = super::rejection::pass_word(self.state);
            return Some(format!("it is {state}"));
        }
        if self.vehicle_id != vehicle_id {
            return Some(format!("it is for vehicle {}", self.vehicle_id));
        }
        if self.driver_id != driver_id {
            return Some(format!("it is for driver {}", self.driver_id));
        }
        if at < self.from || at >= self.to {
            return Some(format!(
                "it is valid from {} to {}",
                to_proto(self.from),
                to_proto(self.to)
            ));
        }
        if let Some(ended) = self.ended.filter(|ended| at >= *ended) {
            return Some(format!("it was revoked at {}", to_proto(ended)));
        }
        let missing = zones
            .iter()
            .find(|zone| !self.zones.iter().any(|z| z == **zone));
        missing.map(|zone| format!("it is not for zone {zone}"))
    }
}

pub(crate) fn apply(
    freight: &Freight,
    command: &ApplyForPass,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.active_carrier(&context.area, &command.carrier_id)?;
    if !carrier.vehicles.contains_key(&command.vehicle_id) {
        return Err(Rejection::unknown(Subject::Vehicle, &command.vehicle_id));
    }
    if !carrier.drivers.contains(&command.driver_id) {
        return Err(Rejection::unknown(Subject::Driver, &command.driver_id));
    }
    if command.to <= command.from || command.to <= context.now {
        return Err(Rejection::Times { to: command.to });
    }
    Ok(vec![
        pb::PassApplied {
            pass_id: context.new_id(0),
            carrier_id: command.carrier_id.clone(),
            vehicle_id: command.vehicle_id.clone(),
            driver_id: command.driver_id.clone(),
            zones: command.zones.clone(),
            from_time: Some(to_proto(command.from)),
            to_time: Some(to_proto(command.to)),
            certificate_sha256: command.certificate_sha256.to_vec(),
        }
        .into(),
    ])
}

pub(crate) fn applied(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PassApplied) {
    freight
        .passes
        .entry(event.pass_id.clone())
        .or_insert_with(|| Pass {
            pass_id: event.pass_id.clone(),
            area: moment.area.clone(),
            carrier_id: event.carrier_id.clone(),
            vehicle_id: event.vehicle_id.clone(),
            driver_id: event.driver_id.clone(),
            zones: event.zones.clone(),
            from: or_epoch(event.from_time.as_ref()),
            to: or_epoch(event.to_time.as_ref()),
            certificate_sha256: event.certificate_sha256.clone(),
            state: PassState::Applied,
            reason: String::new(),
            ended: None,
            revision: moment.revision,
        });
}

pub(crate) fn issue(
    freight: &Freight,
    command: &IssuePass,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let pass = applied_pass(freight, &command.pass_id, context)?;
    if let Some(zone) = command.zones.iter().find(|z| !pass.zones.contains(z)) {
        return Err(Rejection::ZoneNotApplied {
            pass_id: pass.pass_id.clone(),
            zone: zone.clone(),
        });
    }
    let zones = if command.zones.is_empty() {
        &pass.zones
    } else {
        &command.zones
    };
    let from = command.from.unwrap_or(pass.from).max(pass.from);
    let to = command.to.unwrap_or(pass.to).min(pass.to);
    if to <= from || to <= context.now {
        return Err(Rejection::Times { to });
    }
    Ok(vec![
        pb::PassIssued {
            pass_id: pass.pass_id.clone(),
            carrier_id: pass.carrier_id.clone(),
            zones: zones.clone(),
            from_time: Some(to_proto(from)),
            to_time: Some(to_proto(to)),
        }
        .into(),
    ])
}

pub(crate) fn issued(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PassIssued) {
    freight.change_pass(&event.pass_id, moment, |pass| {
        pass.state = PassState::Issued;
        pass.zones.clone_from(&event.zones);
        pass.from = or_epoch(event.from_time.as_ref());
        pass.to = or_epoch(event.to_time.as_ref());
    });
}

pub(crate) fn refuse(
    freight: &Freight,
    command: &RefusePass,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let pass = applied_pass(freight, &command.pass_id, context)?;
    Ok(vec![
        pb::PassRefused {
            pass_id: pass.pass_id.clone(),
            carrier_id: pass.carrier_id.clone(),
            reason: command.reason.clone(),
        }
        .into(),
    ])
}

pub(crate) fn refused(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PassRefused) {
    freight.change_pass(&event.pass_id, moment, |pass| {
        pass.state = PassState::Refused;
        pass.reason.clone_from(&event.reason);
    });
}

/// Vehicles that have not left are stopped; for those on the way an incident
/// is opened.
pub(crate) fn revoke(
    freight: &Freight,
    command: &RevokePass,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let pass = freight.pass_in(&context.area, &command.pass_id)?;
    if pass.state != PassState::Issued {
        return Err(Rejection::PassIs {
            pass_id: pass.pass_id.clone(),
            state: pass.state,
            needed: "only a pass that was issued and is valid can be revoked",
        });
    }
    let revoked = pb::PassRevoked {
        pass_id: pass.pass_id.clone(),
        carrier_id: pass.carrier_id.clone(),
        reason: command.reason.clone(),
    };
    let mut events = vec![revoked.into()];
    events.extend(release::all(
        freight,
        &pass.pass_id,
        pb::ReleaseReason::PassRevoked,
        context,
    ));
    Ok(events)
}

pub(crate) fn revoked(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PassRevoked) {
    freight.change_pass(&event.pass_id, moment, |pass| {
        pass.state = PassState::Revoked;
        pass.reason.clone_from(&event.reason);
        pass.ended = Some(moment.at);
    });
}

pub(crate) fn expire(
    freight: &Freight,
    command: &ExpirePass,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let pass = freight.pass_in(&context.area, &command.pass_id)?;
    if pass.state != PassState::Issued || pass.to > context.now {
        return Ok(vec![]);
    }
    let expired = pb::PassExpired {
        pass_id: pass.pass_id.clone(),
        carrier_id: pass.carrier_id.clone(),
    };
    let mut events = vec![expired.into()];
    events.extend(release::all(
        freight,
        &pass.pass_id,
        pb::ReleaseReason::PassExpired,
        context,
    ));
    Ok(events)
}

pub(crate) fn expired(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PassExpired) {
    freight.change_pass(&event.pass_id, moment, |pass| {
        pass.state = PassState::Expired;
    });
}

fn applied_pass<'a>(
    freight: &'a Freight,
    pass_id: &str,
    context: &Context,
) -> Result<&'a Pass, Rejection> {
    let pass = freight.pass_in(&context.area, pass_id)?;
    if pass.state == PassState::Applied {
        return Ok(pass);
    }
    Err(Rejection::PassIs {
        pass_id: pass_id.to_owned(),
        state: pass.state,
        needed: "only one that was applied for can be issued or refused",
    })
}
