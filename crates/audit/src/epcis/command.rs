//! The arguments of `baogong audit export-epcis`.

use std::path::PathBuf;

use decider::Timestamp;

use super::{DEFAULT_BASE, EpcisOptions, IdBase, Selection, UtcOffset};
use crate::{cli::SourceArgs, time};

#[derive(Debug, Clone, clap::Args)]
pub struct EpcisArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only this order's, with the lots that it was served from.
    #[arg(long, value_name = "ORDER ID", conflicts_with_all = ["from", "to"])]
    pub order: Option<String>,
    /// Only of records made at this moment or later, RFC 3339:
    /// 2022-09-02T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<Timestamp>,
    /// Only of records made before this moment.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub to: Option<Timestamp>,
    /// File to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What the names of bags, lots, places and orders begin with: an address
    /// of yours, so that nobody else gives the same names.
    #[arg(long, value_name = "URL", default_value = DEFAULT_BASE)]
    pub base: IdBase,
    /// Offset of the places' local time from UTC.
    #[arg(
        long,
        value_name = "OFFSET",
        default_value = "+08:00",
        allow_hyphen_values = true
    )]
    pub offset: UtcOffset,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    time::parse(text).ok_or_else(|| "it reads 2022-09-02T00:00:00Z".to_owned())
}

impl EpcisArgs {
    pub(crate) fn options(&self) -> EpcisOptions {
        EpcisOptions {
            selection: match (&self.order, self.from, self.to) {
                (Some(order_id), ..) => Selection::Order(order_id.clone()),
                (None, None, None) => Selection::All,
                (None, from, to) => Selection::Recorded { from, to },
            },
            base: self.base.clone(),
            offset: self.offset.clone(),
        }
    }
}
