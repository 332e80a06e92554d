//! `baogong keys new-master` and `rotate-master`: the master keys under which
//! the data keys of households are wrapped.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bus::{Bus, BusOptions};
use clap::Subcommand;
use service_kit::sealing::{KeyRing, MasterKeys, create_master_key};

#[derive(Debug, Clone, Subcommand)]
pub enum MasterCommand {
    /// Make a new master key, readable by its owner alone.
    NewMaster {
        /// Must not exist yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put the configured master key in force: every data key is wrapped anew
    /// under it, and the old wrappings are destroyed.
    ///
    /// Before it, the new key goes into sealing.master_key_file and the old one
    /// into sealing.previous_master_keys of the services that seal (order, logistics,
    /// notification), and they are restarted; they keep working all the while.
    /// It may be stopped and run again at any time. After it, take the old key
    /// out of the configurations and destroy it.
    RotateMaster(RotateMasterArgs),
}

#[derive(Debug, Clone, clap::Args)]
pub struct RotateMasterArgs {
    /// The order service's configuration, of which the sections nats and
    /// sealing are used; without it the environment alone.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Pass over data keys that no given master key opens.
    #[arg(long)]
    pub leave_unreadable: bool,
}

/// # Errors
/// The key cannot be made, or the change cannot be begun or finished.
pub(super) async fn run(command: MasterCommand) -> anyhow::Result<()> {
    match command {
        MasterCommand::NewMaster { file } => new_master(&file),
        MasterCommand::RotateMaster(args) => rotate(args).await,
    }
}

fn new_master(file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        bail!(
            "{} exists already and is left as it is; name another file",
            file.display()
        );
    }
    create_master_key(file).with_context(|| format!("{} cannot be made", file.display()))?;
    println!(
        "{} holds a new master key; keep a copy elsewhere",
        file.display()
    );
    Ok(())
}

async fn rotate(args: RotateMasterArgs) -> anyhow::Result<()> {
    let config = order::config::Config::load(args.config.as_deref(), order::config::base())?;
    let masters = MasterKeys::load(&config.sealing)?;
    let bus = Bus::connect(BusOptions {
        url: config.nats.url.clone(),
        name: "baogong-keys".to_owned(),
        replicas: config.nats.replicas,
    })
    .await
    .context("the address of NATS cannot be used")?;
    let keys = KeyRing::open(&bus, masters).await?.keys;
    let rotated = keys.rotate(args.leave_unreadable).await?;
    println!(
        "The master key with id {} is in force: {} data keys wrapped anew, {} were under it \
         already, {} passed over as unreadable; {} old wrappings of an earlier attempt destroyed.",
        rotated.to, rotated.rewrapped, rotated.already, rotated.unreadable, rotated.swept
    );
    println!(
        "Now take the old master key out of sealing.previous_master_keys, restart the services, \
         and destroy it together with the copies of NATS's store that were made under it."
    );
    Ok(())
}
