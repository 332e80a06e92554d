//! `baogong partner`: brings partner firms in, gives them their tokens, and
//! tells how they do.

mod tell;

use std::{path::PathBuf, time::Duration};

use access::{Older, Revocation};
use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use decider::{Area, Role, is_code};
use proto::logistics::v1::{
    GetCarrierRequest, RegisterCarrierRequest, RegisterDriverRequest, RegisterVehicleRequest,
    ResumeCarrierRequest, SuspendCarrierRequest, WithdrawDriverRequest, WithdrawVehicleRequest,
};
use service_kit::{access::now_secs, peers::client::TlsArgs};
use tonic::Code;

use crate::{
    access::{AccessFile, token_id},
    client::{Suite, by},
    suite::SuiteFile,
    token,
};

/// How long a call is tried again while a service is away.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub enum PartnerCommand {
    /// Register a firm, with vehicles and drivers; what is there already stays,
    /// so that it can be run again with more of them.
    Add(AddArgs),
    /// Make a token for a firm and print it.
    Token(TokenArgs),
    /// Make a new token for a firm, and take all older ones back.
    Rotate(RotateArgs),
    /// Offer a firm nothing any more, until it is resumed; its open tenders are
    /// withdrawn, and what it has accepted it brings to an end.
    Suspend(SuspendArgs),
    /// Offer a firm loads again.
    Resume(Firm),
    /// Take vehicles and drivers away from a firm.
    Withdraw(WithdrawArgs),
    /// All firms of an area: acceptance, punctuality, exceptions.
    List(ListArgs),
    /// One firm: its record, its vehicles, drivers and capacity, and each
    /// exception on its loads.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub struct Where {
    /// Where the suite is; written by `baogong up`.
    #[arg(long, value_name = "FILE", default_value = "data/suite.json")]
    suite: PathBuf,
    /// The area, nine digits.
    #[arg(long, value_name = "CODE", value_parser = area)]
    area: Area,
    #[command(flatten)]
    tls: TlsArgs,
}

#[derive(Debug, Args)]
pub struct Firm {
    /// The firm's id: 1 to 64 characters of A-Z a-z 0-9 _ . -
    #[arg(value_parser = code)]
    carrier: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub struct AddArgs {
    #[command(flatten)]
    firm: Firm,
    /// The firm's name, as it is known.
    #[arg(long)]
    name: String,
    /// A vehicle and what it carries, for example lorry-1=5t or van=800kg; may
    /// be given several times.
    #[arg(long = "vehicle", value_name = "CODE=WEIGHT", value_parser = vehicle)]
    vehicles: Vec<(String, i64)>,
    /// A driver's code, never a name; may be given several times.
    #[arg(long = "driver", value_name = "CODE", value_parser = code)]
    drivers: Vec<String>,
    /// Make a token too, and write it to this file.
    #[arg(long, value_name = "FILE")]
    token_out: Option<PathBuf>,
    #[command(flatten)]
    ttl: Ttl,
}

#[derive(Debug, Args)]
pub struct Ttl {
    /// How long a token counts, for example 8h or 30days; at most 90 days.
    #[arg(long = "ttl", default_value = "8h", value_parser = humantime::parse_duration)]
    time: Duration,
}

#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    firm: Firm,
    #[command(flatten)]
    ttl: Ttl,
    /// Write it to a file that only its owner may read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    token: TokenArgs,
    /// How long the older tokens count on, so that the firm can change over.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    overlap: Duration,
}

#[derive(Debug, Args)]
pub struct SuspendArgs {
    #[command(flatten)]
    firm: Firm,
    /// Why; the firm is told.
    #[arg(long)]
    reason: String,
    /// Take its tokens back as well: it cannot report on what it carries.
    #[arg(long)]
    revoke_tokens: bool,
}

#[derive(Debug, Args)]
pub struct WithdrawArgs {
    #[command(flatten)]
    firm: Firm,
    /// A vehicle; may be given several times.
    #[arg(long = "vehicle", value_name = "CODE", value_parser = code)]
    vehicles: Vec<String>,
    /// A driver; may be given several times.
    #[arg(long = "driver", value_name = "CODE", value_parser = code)]
    drivers: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    place: Where,
    /// As JSON, one firm a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    firm: Firm,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// It is none.
pub fn area(text: &str) -> Result<Area, String> {
    Area::new(text).map_err(|error| error.to_string())
}

/// # Errors
/// It is none.
pub fn code(text: &str) -> Result<String, String> {
    let good = is_code(text).then(|| text.to_owned());
    good.ok_or_else(|| "1 to 64 characters of A-Z a-z 0-9 _ . - are needed".to_owned())
}

fn vehicle(text: &str) -> Result<(String, i64), String> {
    let (id, weight) = text
        .split_once('=')
        .ok_or("a code and a weight are needed, for example lorry-1=5t")?;
    Ok((code(id)?, grams(weight)?))
}

/// Whole tonnes, kilograms or grams.
fn grams(text: &str) -> Result<i64, String> {
    let units = [("kg", 1_000), ("t", 1_000_000), ("g", 1)];
    let found = units
        .iter()
        .find_map(|(unit, grams)| Some((text.strip_suffix(unit)?, *grams)));
    let weight = found.and_then(|(number, unit)| number.parse::<i64>().ok()?.checked_mul(unit));
    weight.ok_or_else(|| format!("{text:?} is no weight: 5t, 800kg or 500000g are"))
}

/// # Errors
/// The suite cannot be reached or refuses, or a file cannot be read or written.
pub async fn run(command: PartnerCommand) -> anyhow::Result<()> {
    match command {
        PartnerCommand::Add(arguments) => add(&arguments).await,
        PartnerCommand::Token(arguments) => {
            registered(&arguments.firm).await?;
            issue(&arguments).map(drop)
        }
        PartnerCommand::Rotate(arguments) => rotate(&arguments).await,
        PartnerCommand::Suspend(arguments) => suspend(&arguments).await,
        PartnerCommand::Resume(firm) => resume(&firm).await,
        PartnerCommand::Withdraw(arguments) => withdraw(&arguments).await,
        PartnerCommand::List(arguments) => tell::list(&arguments).await,
        PartnerCommand::Show(arguments) => tell::show(&arguments).await,
    }
}

impl Where {
    fn file(&self) -> anyhow::Result<SuiteFile> {
        SuiteFile::read(&self.suite)
    }

    fn connect(&self) -> anyhow::Result<Suite> {
        Suite::connect(&self.file()?, PATIENCE, &self.tls)
    }
}

/// Makes a changing call as the operator, and makes it again with the same id
/// while the service is away.
macro_rules! operate {
    ($suite:expr, $client:ident.$method:ident, $firm:expr, $request:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let request = $request {
            request_id: token_id(),
            area: $firm.place.area.to_string(),
            carrier_id: $firm.carrier.clone(),
            $($field: $value,)*
        };
        let request = &request;
        $suite
            .call(async |suite| {
                let mut client = suite.$client;
                client.$method(by(Role::Operator, "operator", request.clone())).await
            })
            .await
    }};
}

async fn add(arguments: &AddArgs) -> anyhow::Result<()> {
    let firm = &arguments.firm;
    let carrier = &firm.carrier;
    if arguments.token_out.is_some() {
        token::check_ttl(arguments.ttl.time)?;
    }
    let suite = firm.place.connect()?;
    operate!(
        suite,
        freight.register_carrier,
        firm,
        RegisterCarrierRequest {
            name: arguments.name.clone(),
        }
    )?;
    for (vehicle_id, capacity_grams) in &arguments.vehicles {
        operate!(
            suite,
            partner.register_vehicle,
            firm,
            RegisterVehicleRequest {
                vehicle_id: vehicle_id.clone(),
                capacity_grams: *capacity_grams,
            }
        )
        .with_context(|| format!("vehicle {vehicle_id}"))?;
    }
    for driver_id in &arguments.drivers {
        operate!(
            suite,
            partner.register_driver,
            firm,
            RegisterDriverRequest {
                driver_id: driver_id.clone(),
            }
        )
        .with_context(|| format!("driver {driver_id}"))?;
    }
    println!("{carrier} is registered in {}.", firm.place.area);
    match &arguments.token_out {
        Some(path) => {
            let token = make(firm, arguments.ttl.time)?;
            token::hand_out(&token, Some(path))?;
            println!("Its token is in {}.", path.display());
        }
        None => println!(
            "Make its token with: baogong partner token {carrier} --area {}",
            firm.place.area
        ),
    }
    Ok(())
}

/// That the area knows the firm: a token for a firm with a misspelt id would
/// be good and of no use.
async fn registered(firm: &Firm) -> anyhow::Result<()> {
    let request = GetCarrierRequest {
        area: firm.place.area.to_string(),
        carrier_id: firm.carrier.clone(),
        ..Default::default()
    };
    let known = tell::get(&firm.place.connect()?, &request).await;
    match known {
        Err(status) if status.code() == Code::NotFound => anyhow::bail!(
            "{} is not registered in {}; `baogong partner add` does it",
            firm.carrier,
            firm.place.area
        ),
        known => Ok(known.map(drop)?),
    }
}

fn issuer_of(firm: &Firm) -> anyhow::Result<AccessFile> {
    token::of_suite(&firm.place.suite)
}

fn make(firm: &Firm, ttl: Duration) -> anyhow::Result<String> {
    issuer_of(firm)?.issue_to_firm(&firm.carrier, &firm.place.area, ttl)
}

/// Makes a token and hands it out.
fn issue(arguments: &TokenArgs) -> anyhow::Result<()> {
    token::check_ttl(arguments.ttl.time)?;
    let token = make(&arguments.firm, arguments.ttl.time)?;
    token::hand_out(&token, arguments.out.as_deref())
}

async fn rotate(arguments: &RotateArgs) -> anyhow::Result<()> {
    let firm = &arguments.token.firm;
    token::check_ttl(arguments.token.ttl.time)?;
    registered(firm).await?;
    let list = issuer_of(firm)?.revocations_file;
    // All tokens up to this second are taken back, so the new one is of the
    // next: tokens count in whole seconds.
    let before_secs = now_secs() + 1;
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    issue(&arguments.token)?;
    let overlap = arguments.overlap.as_secs();
    let older = Older {
        before_secs,
        from_secs: if overlap == 0 {
            0
        } else {
            before_secs + overlap
        },
    };
    let revocation = Revocation::Carrier(firm.carrier.clone(), older);
    token::add_revocation(&list, &revocation, "rotated")?;
    if overlap == 0 {
        eprintln!(
            "Older tokens of {} are refused within a second.",
            firm.carrier
        );
    } else {
        let overlap = humantime::format_duration(Duration::from_secs(overlap));
        eprintln!("Older tokens of {} are refused in {overlap}.", firm.carrier);
    }
    Ok(())
}

async fn suspend(arguments: &SuspendArgs) -> anyhow::Result<()> {
    let firm = &arguments.firm;
    let suite = firm.place.connect()?;
    operate!(
        suite,
        freight.suspend_carrier,
        firm,
        SuspendCarrierRequest {
            reason: arguments.reason.clone(),
        }
    )?;
    println!("{} is suspended in {}.", firm.carrier, firm.place.area);
    if arguments.revoke_tokens {
        let revocation = Revocation::Carrier(firm.carrier.clone(), token::until_now());
        let list = issuer_of(firm)?.revocations_file;
        let line = token::add_revocation(&list, &revocation, &arguments.reason)?;
        println!("{}: {line}", list.display());
    }
    Ok(())
}

async fn resume(firm: &Firm) -> anyhow::Result<()> {
    let suite = firm.place.connect()?;
    operate!(suite, freight.resume_carrier, firm, ResumeCarrierRequest {})?;
    println!(
        "{} is offered loads in {} again.",
        firm.carrier, firm.place.area
    );
    Ok(())
}

async fn withdraw(arguments: &WithdrawArgs) -> anyhow::Result<()> {
    let firm = &arguments.firm;
    ensure!(
        !(arguments.vehicles.is_empty() && arguments.drivers.is_empty()),
        "name what is to be withdrawn with --vehicle and --driver"
    );
    let suite = firm.place.connect()?;
    for vehicle_id in &arguments.vehicles {
        operate!(
            suite,
            partner.withdraw_vehicle,
            firm,
            WithdrawVehicleRequest {
                vehicle_id: vehicle_id.clone(),
            }
        )
        .with_context(|| format!("vehicle {vehicle_id}"))?;
        println!("vehicle {vehicle_id} is withdrawn");
    }
    for driver_id in &arguments.drivers {
        operate!(
            suite,
            partner.withdraw_driver,
            firm,
            WithdrawDriverRequest {
                driver_id: driver_id.clone(),
            }
        )
        .with_context(|| format!("driver {driver_id}"))?;
        println!("driver {driver_id} is withdrawn");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{grams, vehicle};

    #[test]
    fn vehicles_are_named_with_what_they_carry() {
        assert_eq!(vehicle("lorry-1=5t"), Ok(("lorry-1".to_owned(), 5_000_000)));
        assert_eq!(grams("800kg"), Ok(800_000));
        assert_eq!(grams("500000g"), Ok(500_000));
        for wrong in ["lorry", "=5t", "lorry=5", "lorry=t", "lorry=5.5t", "a b=5t"] {
            assert!(vehicle(wrong).is_err(), "{wrong}");
        }
        assert!(grams("99999999999999t").is_err());
    }
}
