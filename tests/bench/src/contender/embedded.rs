//! The contenders that are a library and a file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use rusqlite::Connection;
use umadb_core::db::process_append_request;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_dcb::DcbEvent;

use super::Contender;

pub struct PlainFile(File);

impl PlainFile {
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        Ok(Self(File::create(directory.join("plain"))?))
    }
}

impl Contender for PlainFile {
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        self.0.write_all(&records.concat())?;
        self.0.sync_data()?;
        Ok(())
    }
}

pub struct Sqlite(Connection);

impl Sqlite {
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(directory.join("events.sqlite"))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute_batch(
            "CREATE TABLE events (position INTEGER PRIMARY KEY, record BLOB NOT NULL)",
        )?;
        Ok(Self(db))
    }
}

impl Contender for Sqlite {
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let transaction = self.0.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO events (record) VALUES (?1)")?;
        for record in records {
            insert.execute([&record[..]])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(())
    }
}

/// As UmaDB's server takes the requests that wait: each on its own, one commit
/// for all of them. Each event has one tag, the entity's.
pub struct Uma {
    mvcc: Mvcc,
    appended: u64,
}

impl Uma {
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let options = StorageOptions::default().db_path(directory.join("uma.db"));
        Ok(Self {
            mvcc: Mvcc::new(false, options)?,
            appended: 0,
        })
    }
}

impl Contender for Uma {
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let mut writer = self.mvcc.writer()?;
        for record in records {
            self.appended += 1;
            let event = DcbEvent {
                event_type: "OrderPlaced".to_owned(),
                tags: vec![format!("order/{:026}", self.appended)],
                data: record.to_vec(),
                uuid: None,
                metadata: Vec::new(),
            };
            process_append_request(vec![event], None, None, &self.mvcc, &mut writer, None)?;
        }
        self.mvcc.commit(&mut writer)?;
        Ok(())
    }
}
