//! `baogong token`: makes tokens with the suite's own issuer, reads and revokes
//! them, whoever made them.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use access::{
    Areas, Caller, Grant, KeySet, Older, Presented, Refusal, Revocation, Revocations, Rules, Trust,
};
use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use decider::is_code;
use service_kit::{
    access::{now_secs, secret},
    durable_file,
};

use crate::{
    access::{AUDIENCE, AccessFile, ISSUER},
    suite::SuiteFile,
};

/// A token that counts for longer than this is a password.
const TTL_MAX: Duration = Duration::from_secs(90 * 24 * 3_600);
const LEEWAY_SECS: u64 = 30;

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it; it can be used until it expires.
    Issue(IssueArgs),
    /// Check a token, and tell whose it is and what it allows. Exit status 1:
    /// it is refused.
    Show(ShowArgs),
    /// Take a token back before it expires, or all of a subject's.
    Revoke(RevokeArgs),
    /// Make an issuer's key where it is missing, and its public half (JWKS)
    /// with which services check.
    Keys(KeysArgs),
}

/// Which issuer.
#[derive(Debug, Args)]
pub struct IssuerArgs {
    /// The suite whose issuer it is; written by `baogong up`.
    #[arg(long, value_name = "FILE", default_value = "data/suite.json")]
    suite: PathBuf,
    /// The issuer's key, in place of a suite's.
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    key: Option<PathBuf>,
    /// `iss`, with --key.
    #[arg(long, default_value = ISSUER)]
    issuer: String,
    /// `aud`, with --key.
    #[arg(long, default_value = AUDIENCE)]
    audience: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Resident,
    Cadre,
    Member,
    Keeper,
    Dispatcher,
    Carrier,
    Auditor,
    Operator,
}

#[derive(Debug, Args)]
pub struct IssueArgs {
    #[command(flatten)]
    issuer: IssuerArgs,
    /// What the bearer is; may be given several times.
    #[arg(long = "role", required = true, value_enum)]
    roles: Vec<RoleName>,
    /// Whose token it is: a code, no name of a person. Without it the firm's of
    /// --carrier, or the household's.
    #[arg(long, value_name = "CODE")]
    subject: Option<String>,
    /// An area that the bearer may speak of: 2, 4, 6 or 9 digits, with all that
    /// lies in it; may be given several times.
    #[arg(long = "area", value_name = "CODE")]
    areas: Vec<String>,
    /// All areas.
    #[arg(long, conflicts_with = "areas")]
    all_areas: bool,
    /// The firm of a carrier.
    #[arg(long, value_name = "CODE")]
    carrier: Option<String>,
    /// The household of a resident.
    #[arg(long, value_name = "CODE")]
    household: Option<String>,
    /// How long it counts, for example 8h or 30m; at most 90 days.
    #[arg(long, default_value = "8h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// Write it to a file that only its owner may read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    issuer: IssuerArgs,
    /// Check with these public keys (JWKS), in place of the suite's.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["suite", "key"])]
    jwks: Option<PathBuf>,
    /// The list of revoked tokens, in place of the suite's.
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
    /// The token; `-` reads it from the standard input.
    token: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
struct Revoked {
    /// A token; `-` reads it from the standard input.
    #[arg(group = "what")]
    token: Option<String>,
    /// A token's id (`jti`).
    #[arg(long, value_name = "JTI", group = "what")]
    id: Option<String>,
    /// All tokens of a subject that were issued until now.
    #[arg(long, value_name = "SUB", group = "what")]
    subject: Option<String>,
    /// All tokens of a firm that were issued until now.
    #[arg(long, value_name = "CODE", group = "what")]
    carrier: Option<String>,
}

#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The suite whose list it is added to; written by `baogong up`.
    #[arg(long, value_name = "FILE", default_value = "data/suite.json")]
    suite: PathBuf,
    /// The list of revoked tokens, in place of the suite's.
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    revocations: Option<PathBuf>,
    #[command(flatten)]
    what: Revoked,
    /// Why, for whoever reads the list.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Args)]
pub struct KeysArgs {
    /// The issuer's key; it is made where it does not exist.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Write the public half there; otherwise it is printed.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Make an empty list of revoked tokens there, unless there is one.
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
}

/// # Errors
/// A file cannot be read or written, or what was asked for makes no sense.
/// Gives whether a shown token is good.
pub fn run(command: TokenCommand) -> anyhow::Result<bool> {
    match command {
        TokenCommand::Issue(arguments) => issue(&arguments).map(|()| true),
        TokenCommand::Show(arguments) => show(&arguments),
        TokenCommand::Revoke(arguments) => revoke(&arguments).map(|()| true),
        TokenCommand::Keys(arguments) => keys(&arguments).map(|()| true),
    }
}

impl IssuerArgs {
    fn access(&self) -> anyhow::Result<AccessFile> {
        let none = PathBuf::new();
        match &self.key {
            Some(key) => Ok(AccessFile {
                issuer: self.issuer.clone(),
                audience: self.audience.clone(),
                key_file: key.clone(),
                jwks_file: none.clone(),
                revocations_file: none.clone(),
                token_file: none,
            }),
            None => of_suite(&self.suite),
        }
    }
}

/// # Errors
/// There is no suite, or it asks for no tokens.
pub fn of_suite(path: &Path) -> anyhow::Result<AccessFile> {
    SuiteFile::read(path)?
        .access
        .context("this suite asks for no tokens; start it without --open, or name the files")
}

fn issue(arguments: &IssueArgs) -> anyhow::Result<()> {
    let access = arguments.issuer.access()?;
    let has = |role| arguments.roles.contains(&role);
    ensure!(
        has(RoleName::Carrier) == arguments.carrier.is_some(),
        "--role carrier and --carrier belong together"
    );
    ensure!(
        has(RoleName::Resident) == arguments.household.is_some(),
        "--role resident and --household belong together"
    );
    check_ttl(arguments.ttl)?;
    let areas = if arguments.all_areas {
        vec!["*".to_owned()]
    } else {
        arguments.areas.clone()
    };
    Areas::parse(&areas).context("--area")?;
    let named = [&arguments.subject, &arguments.carrier, &arguments.household];
    let subject = named.into_iter().flatten().next();
    let subject = subject.context("--subject says whose token it is")?;
    for code in named.into_iter().flatten() {
        ensure!(
            is_code(code),
            "{code:?} is no code: 1 to 64 characters of A-Z a-z 0-9 _ . - are needed"
        );
    }
    let roles = arguments.roles.iter().filter_map(|role| {
        let value = role.to_possible_value()?;
        Some(value.get_name().to_owned())
    });
    let grant = Grant {
        roles: roles.collect(),
        areas,
        carrier: arguments.carrier.clone(),
        household: arguments.household.clone(),
        id: None,
    };
    let issuer = secret::issuer(&access.key_file, false)?;
    let token = access.issue(&issuer, subject, grant, arguments.ttl.as_secs());
    hand_out(&token, arguments.out.as_deref())?;
    if !arguments.all_areas && arguments.areas.is_empty() {
        eprintln!(
            "This token names no area, so most calls are refused; --area or --all-areas gives some."
        );
    }
    Ok(())
}

/// # Errors
/// A token may not count for so long.
pub fn check_ttl(ttl: Duration) -> anyhow::Result<()> {
    let range = Duration::from_secs(1)..=TTL_MAX;
    ensure!(range.contains(&ttl), "--ttl must be from 1s to 90days");
    Ok(())
}

/// Prints a token, or writes it to a file that only its owner may read.
///
/// # Errors
/// The file cannot be written.
pub fn hand_out(token: &str, file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        None => println!("{token}"),
        Some(path) => durable_file::replace_secret(path, format!("{token}\n").as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?,
    }
    Ok(())
}

fn show(arguments: &ShowArgs) -> anyhow::Result<bool> {
    let token = given(&arguments.token)?;
    let (trust, keys, revocations) = match &arguments.jwks {
        Some(path) => (
            trust(&arguments.issuer.issuer, &arguments.issuer.audience),
            read(path)?,
            None,
        ),
        None => {
            let access = arguments.issuer.access()?;
            let issuer = secret::issuer(&access.key_file, false)?;
            let list = access.revocations_file;
            let list = (!list.as_os_str().is_empty()).then_some(list);
            (trust(&access.issuer, &access.audience), issuer.jwks(), list)
        }
    };
    let keys = KeySet::parse(keys.as_bytes())?;
    let revocations = match arguments.revocations.as_ref().or(revocations.as_ref()) {
        None => Revocations::default(),
        Some(path) => Revocations::parse(&read(path)?)?,
    };
    let checked = Presented::parse(&token)
        .and_then(|token| token.check(&keys, &trust, &revocations, now_secs()));
    match checked {
        Ok(caller) => {
            tell(&caller)?;
            Ok(true)
        }
        Err(refusal) => {
            println!("refused: {}\n  {refusal}", refusal.reason());
            Ok(false)
        }
    }
}

fn trust(issuer: &str, audience: &str) -> Trust {
    Trust {
        issuer: issuer.to_owned(),
        audience: audience.to_owned(),
        leeway_secs: LEEWAY_SECS,
    }
}

/// Prints whose token it is, and every method that it opens.
fn tell(caller: &Caller) -> anyhow::Result<()> {
    let roles: Vec<&str> = caller.roles.iter().map(|role| role.name()).collect();
    println!("subject    {}", caller.subject);
    println!("roles      {}", roles.join(", "));
    println!("areas      {}", caller.areas);
    let optional = [
        ("carrier", &caller.carrier),
        ("household", &caller.household),
        ("id", &caller.token_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            println!("{name:<10} {value}");
        }
    }
    let at = |secs| humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(secs));
    if let Some(issued) = caller.issued_secs {
        println!("issued     {}", at(issued));
    }
    let left = caller.expires_secs.saturating_sub(now_secs());
    let left = humantime::format_duration(Duration::from_secs(left));
    println!("expires    {} (in {left})", at(caller.expires_secs));
    println!("may call");
    for (path, rule) in Rules::of_the_suite()?.all() {
        let rule = std::sync::Arc::new(rule.clone());
        if let Ok((admitted, _)) = Rules::admit(&rule, caller.clone(), None) {
            let acting = admitted.acting.map_or("", |role| role.name());
            println!("  {:<60} as {acting}", path.trim_start_matches('/'));
        }
    }
    Ok(())
}

fn revoke(arguments: &RevokeArgs) -> anyhow::Result<()> {
    let path = match &arguments.revocations {
        Some(path) => path.clone(),
        None => of_suite(&arguments.suite)?.revocations_file,
    };
    let what = &arguments.what;
    let older = until_now();
    let revocation = match (&what.token, &what.id, &what.subject, &what.carrier) {
        (Some(token), ..) => Revocation::Token(id_of(&given(token)?)?),
        (_, Some(id), ..) => Revocation::Token(id.clone()),
        (_, _, Some(subject), _) => Revocation::Subject(subject.clone(), older),
        (.., Some(carrier)) => Revocation::Carrier(carrier.clone(), older),
        _ => bail!("name a token, --id, --subject or --carrier"),
    };
    let line = add_revocation(&path, &revocation, &arguments.reason)?;
    println!("{}: {line}", path.display());
    println!("Services that read this list refuse it within a second.");
    Ok(())
}

/// All tokens that were issued until now, this second included: tokens count in
/// whole seconds. They are refused at once.
#[must_use]
pub fn until_now() -> Older {
    Older {
        before_secs: now_secs() + 1,
        from_secs: 0,
    }
}

/// Adds a line to a list of revocations, and gives it.
///
/// # Errors
/// It is nothing that can be revoked, or the list cannot be read or written.
pub fn add_revocation(path: &Path, what: &Revocation, why: &str) -> anyhow::Result<String> {
    let why = why.replace(['\n', '\r'], " ");
    let at = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    let line = format!("{what} # {at} {}\n", why.trim());
    Revocations::parse(&line).context("that is nothing that can be revoked")?;
    let text = read(path)?;
    // A line that no service could read would stop them all from starting.
    Revocations::parse(&text).with_context(|| path.display().to_string())?;
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let whole = text.is_empty() || text.ends_with('\n');
    let separator = if whole { "" } else { "\n" };
    file.write_all(format!("{separator}{line}").as_bytes())?;
    file.sync_all()?;
    Ok(line.trim_end().to_owned())
}

/// The id of a token of any issuer, which is not checked: revoking takes away
/// only.
fn id_of(token: &str) -> anyhow::Result<String> {
    let id = access::claimed_id(token).map_err(|refusal: Refusal| anyhow::anyhow!(refusal))?;
    id.context("this token has no id (jti); revoke its subject with --subject")
}

fn keys(arguments: &KeysArgs) -> anyhow::Result<()> {
    let issuer = secret::issuer(&arguments.key, true)?;
    let jwks = format!("{}\n", issuer.jwks());
    match &arguments.jwks {
        None => print!("{jwks}"),
        Some(path) => durable_file::replace(path, jwks.as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?,
    }
    if let Some(path) = &arguments.revocations {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn given(token: &str) -> anyhow::Result<String> {
    if token != "-" {
        return Ok(token.trim().to_owned());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}
