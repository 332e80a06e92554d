//! `baogong keys`: makes, replaces and lists the keys that sign and cosign
//! checkpoints, and the policy that names their public halves; master keys are in
//! `keys/master.rs`.
//!
//! A folder holds one key file for each log and each witness (see
//! `service_kit::notary::keys`) and the file `policy`, which holds no secret.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use decider::Service;
use logistics::webhook;
use service_kit::{
    durable_file,
    notary::keys::{log_key_file, make, read, witness_key_file, witness_name},
};
use transparency::{Checkpoint, KeyUse, Origin, Policy, SecretKey, Validity};

mod master;
mod policy_text;

pub use policy_text::Urls;

/// Cosignatures that a checkpoint needs, of the suite's four witnesses. None
/// cosigns its own service's logs, so these are two of three others.
const QUORUM: usize = 2;

/// Name of the policy file in a folder of keys.
pub const POLICY: &str = "policy";

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the keys of a suite and its policy; what is there already stays.
    Create(CreateArgs),
    /// Replace the key of a log; checkpoints signed so far stay valid. Stop the
    /// service before, and give the new policy to all others after.
    Rotate(RotateArgs),
    /// Make a key for a witness outside of the suite, and print its line for
    /// the policy.
    Witness(WitnessArgs),
    /// Show the keys of a folder and what the policy says of them.
    List {
        /// Folder of the keys.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    #[command(flatten)]
    Master(master::MasterCommand),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Folder of the keys; it is made where it does not exist.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Partitions of each service.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    partitions: u32,
    /// Where a service's HTTP listener is reached by the others, for example
    /// order=http://order-{partition}.order:7500; once for each service.
    #[arg(long = "url", value_name = "SERVICE=URL")]
    urls: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Folder of the keys.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The log whose key is replaced, for example order/0.
    #[arg(long, value_name = "SERVICE/PARTITION")]
    log: String,
    /// Its tree: <data>/<service>/<partition>.tree. The old key counts up to
    /// the last checkpoint in it.
    #[arg(long, value_name = "DIR", required_unless_present = "revoke")]
    tree: Option<PathBuf>,
    /// The old key may have been stolen: it counts for nothing any more, not
    /// for the past either.
    #[arg(long, conflicts_with = "tree")]
    revoke: bool,
}

#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// File of the secret key; it must not exist.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Name of the key, for example a domain of yours: witness.example.org
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where the witness will be reached, for example
    /// https://witness.example.org/witness
    #[arg(long, value_name = "URL", default_value = "")]
    url: String,
}

/// # Errors
/// Files cannot be read or written, or do not fit together; NATS cannot be
/// used.
pub async fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create(arguments) => {
            let urls = Urls::parse(&arguments.urls)?;
            let made = create(&arguments.dir, arguments.partitions, &urls)?;
            let (dir, policy) = (arguments.dir.display(), arguments.dir.join(POLICY));
            println!(
                "{made} keys made in {dir}; the policy is {}",
                policy.display()
            );
            Ok(())
        }
        KeysCommand::Rotate(arguments) => rotate(&arguments),
        KeysCommand::Witness(arguments) => witness(&arguments),
        KeysCommand::List { dir } => list(&dir),
        KeysCommand::Master(command) => master::run(command).await,
    }
}

/// Makes what is missing of a suite's keys and its policy. Gives how many keys
/// were made.
///
/// # Errors
/// The folder cannot be used, or an existing policy names other keys.
pub fn create(dir: &Path, partitions: u32, urls: &Urls) -> anyhow::Result<usize> {
    let policy_file = dir.join(POLICY);
    let old = policy_file.exists();
    let mut made = 0;
    let mut text = policy_text::HEAD.to_owned();
    for service in Service::ALL {
        for partition in 0..partitions {
            let origin = Origin::new(service.name(), partition)?;
            let file = log_key_file(dir, &origin);
            let key = provide(&file, &origin.to_string(), KeyUse::Log, old, &mut made)?;
            text += &policy_text::log(key.public(), urls.log(service, partition).as_deref());
        }
    }
    for service in Service::ALL {
        let (file, name) = (
            witness_key_file(dir, service.name()),
            witness_name(service.name()),
        );
        let key = provide(&file, &name, KeyUse::Cosigner, old, &mut made)?;
        let url = urls.witness(service);
        text += &policy_text::witness(service.name(), key.public(), url.as_deref());
    }
    let names = Service::ALL.map(Service::name);
    text += &policy_text::quorum("suite", QUORUM, &names);
    // With which webhooks are signed.
    webhook::secret::SecretKey::open(dir, true)?;
    if !old {
        let _: Policy = text.parse().context("the policy that was made")?;
        write_policy(&policy_file, &text)?;
        return Ok(made);
    }
    let (old, policy) = read_policy(&policy_file)?;
    names_all(dir, partitions, &policy)?;
    let renewed = policy_text::with_urls(&old, urls);
    if renewed != old {
        let _: Policy = renewed.parse().context("the policy with the new URLs")?;
        write_policy(&policy_file, &renewed)?;
    }
    Ok(made)
}

fn provide(
    file: &Path,
    name: &str,
    key_use: KeyUse,
    has_policy: bool,
    made: &mut usize,
) -> anyhow::Result<SecretKey> {
    if !file.exists() {
        ensure!(
            !has_policy,
            "{} is missing, and there is a policy already: put the key back, or take the policy \
             away to begin anew with other keys",
            file.display()
        );
        *made += usize::from(make(file, name, key_use)?);
    }
    Ok(read(file, key_use)?)
}

/// A policy that does not name the keys beside it would only fail later.
fn names_all(dir: &Path, partitions: u32, policy: &Policy) -> anyhow::Result<()> {
    for service in Service::ALL {
        for partition in 0..partitions {
            let origin = Origin::new(service.name(), partition)?;
            let key = read(&log_key_file(dir, &origin), KeyUse::Log)?;
            let mut known = policy.log(&origin).into_iter().flat_map(|log| log.keys());
            ensure!(
                known.any(|(known, _)| known == key.public()),
                "the policy in {} does not name {}; `baogong keys rotate` replaces a key",
                dir.display(),
                key.public()
            );
        }
    }
    Ok(())
}

fn read_policy(path: &Path) -> anyhow::Result<(String, Policy)> {
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "the policy {} cannot be read; `baogong keys create` makes one",
            path.display()
        )
    })?;
    let policy = text.parse();
    let policy = policy.with_context(|| format!("{} cannot be used", path.display()))?;
    Ok((text, policy))
}

fn write_policy(path: &Path, text: &str) -> anyhow::Result<()> {
    durable_file::replace(path, text.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// The new key is stored first, then named, then put in place: interrupted
/// anywhere, the same call goes on.
fn rotate(arguments: &RotateArgs) -> anyhow::Result<()> {
    let origin: Origin = format!("baogong/{}", arguments.log).parse()?;
    let file = log_key_file(&arguments.dir, &origin);
    let next = file.with_extension("key.next");
    let policy_file = arguments.dir.join(POLICY);
    let (text, policy) = read_policy(&policy_file)?;
    let old = read(&file, KeyUse::Log)?;
    make(&next, &origin.to_string(), KeyUse::Log)?;
    let new = read(&next, KeyUse::Log)?;
    let known = policy
        .log(&origin)
        .with_context(|| format!("the policy does not name the log {origin}"))?;
    let validity = |key: &SecretKey| {
        let mut keys = known.keys();
        keys.find_map(|(known, validity)| (known == key.public()).then_some(validity))
    };
    let Some(now) = validity(&old) else {
        bail!(
            "the policy does not name {}, the key of {origin}",
            old.public()
        );
    };
    if validity(&new).is_none() {
        let signed = match &arguments.tree {
            Some(tree) => Some(last_signed(tree, &origin)?),
            None => None,
        };
        let text = match (signed, now) {
            (None, _) => policy_text::revoked(&text, old.public(), new.public()),
            (Some(_), Validity::Revoked) => {
                bail!(
                    "the policy revoked {} already; use --revoke",
                    old.public().label()
                )
            }
            (Some(size), Validity::Sizes { from, .. }) => {
                policy_text::rotated(&text, old.public(), new.public(), from, size)
            }
        };
        let _: Policy = text.parse().context("the policy with the new key")?;
        write_policy(&policy_file, &text)?;
    }
    fs::rename(&next, &file)
        .with_context(|| format!("{} cannot be put in place", file.display()))?;
    fs::File::open(&arguments.dir)?.sync_all()?;
    println!(
        "{origin} is signed by {} from now on; give {} to all services, witnesses and auditors, \
         and start the services again",
        new.public().label(),
        policy_file.display()
    );
    Ok(())
}

/// Records of the last checkpoint that was signed.
fn last_signed(tree: &Path, origin: &Origin) -> anyhow::Result<u64> {
    let mut size = None;
    for name in ["checkpoint", "signed"] {
        let path = tree.join(name);
        if !path.exists() {
            continue;
        }
        let note = fs::read_to_string(&path)?;
        let checkpoint: Checkpoint = note
            .parse()
            .with_context(|| format!("{} is no checkpoint", path.display()))?;
        ensure!(
            checkpoint.origin() == origin,
            "{} is of {}, not of {origin}",
            path.display(),
            checkpoint.origin()
        );
        size = size.max(Some(checkpoint.claimed_head().size));
    }
    size.with_context(|| {
        format!(
            "there is no checkpoint in {}: name the folder <data>/<service>/<partition>.tree",
            tree.display()
        )
    })
}

fn witness(arguments: &WitnessArgs) -> anyhow::Result<()> {
    let (file, name) = (&arguments.file, &arguments.name);
    ensure!(
        make(file, name, KeyUse::Cosigner)?,
        "{} exists; a key is never overwritten",
        file.display()
    );
    let key = read(file, KeyUse::Cosigner)?;
    let url = Some(arguments.url.as_str()).filter(|url| !url.is_empty());
    print!("{}", policy_text::witness(name, key.public(), url));
    Ok(())
}

fn list(dir: &Path) -> anyhow::Result<()> {
    let (_, policy) = read_policy(&dir.join(POLICY))?;
    let mut files = BTreeMap::new();
    let entries = fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        // The key of webhooks lies here too, and signs no checkpoint.
        let is_key = path.extension().is_some_and(|kind| kind == "key");
        if is_key && !path.ends_with(webhook::secret::FILE) {
            let key = read(&path, KeyUse::Log).or_else(|_| read(&path, KeyUse::Cosigner))?;
            files.insert(key.public().to_string(), path);
        }
    }
    let secret = |key: &transparency::PublicKey| match files.get(&key.to_string()) {
        Some(path) => path.display().to_string(),
        None => "secret elsewhere or gone".to_owned(),
    };
    for log in policy.logs() {
        for (key, validity) in log.keys() {
            let counts = match validity {
                Validity::ALWAYS => "counts".to_owned(),
                Validity::Revoked => "revoked".to_owned(),
                Validity::Sizes { from, until } => format!(
                    "counts for {from} to {} records",
                    until.map_or("any number of".to_owned(), |until| until.to_string())
                ),
            };
            println!("log      {key}  {counts}  ({})", secret(key));
        }
    }
    for (name, key) in policy.witnesses() {
        println!("witness  {key}  as {name}  ({})", secret(key));
    }
    Ok(())
}
