//! The counters behind quotas: they change in the transaction that changes an upload, and can be counted anew from the rows.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{Records, failed};
use crate::{
    clock::day,
    error::Error,
    upload::{
        Upload,
        quota::{Allowances, Counter, Exceeded, Standing, Usage},
    },
};

/// How many counters one statement is about.
const COUNTERS: usize = 64;

type Counts = BTreeMap<Counter, Standing>;

/// A counter that is not what its rows say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miscount {
    pub counter: Counter,
    pub kept: Standing,
    pub counted: Standing,
}

impl Records {
    /// How these counters stand; one that was never used is not there.
    pub async fn usage(
        &self,
        counters: Vec<Counter>,
    ) -> Result<BTreeMap<Counter, Standing>, Error> {
        let mut connection = self.read.acquire().await.map_err(failed)?;
        let counters = counters.into_iter().collect();
        read(&mut connection, &counters).await.map_err(failed)
    }

    /// Which of these uploads quotas leave no room for, as things stand: whether they are let in, `begin` decides.
    pub async fn foresee(&self, uploads: &[&Upload]) -> Result<Vec<Result<(), Exceeded>>, Error> {
        let mut connection = self.read.acquire().await.map_err(failed)?;
        let days = uploads.iter().map(|upload| day(upload.created_at()));
        let today = days.max().unwrap_or(0);
        let book = Book::open(&mut connection, &self.allowances, uploads, today).await;
        let mut book = book.map_err(failed)?;
        Ok(uploads.iter().map(|upload| book.admit(upload)).collect())
    }

    /// Counts anew from the rows what quotas go by: the counters that are wrong, which is none.
    pub async fn recount(&self) -> Result<Vec<Miscount>, Error> {
        let mut snapshot = self.read.begin().await.map_err(failed)?;
        miscounts(&mut snapshot).await.map_err(failed)
    }
}

/// The counters that are not what the rows say.
pub(super) async fn miscounts(
    connection: &mut SqliteConnection,
) -> Result<Vec<Miscount>, sqlx::Error> {
    let mut found = recount(connection).await?;
    let mut wrong = Vec::new();
    let mut rows = sqlx::query("SELECT * FROM usage").fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (key, kept) = counter(&row)?;
        let found = found.remove(&key).unwrap_or_default();
        if kept != found {
            wrong.push(Miscount {
                counter: key,
                kept,
                counted: found,
            });
        }
    }
    let kept = Standing::default();
    wrong.extend(found.into_iter().map(|(key, found)| Miscount {
        counter: key,
        kept,
        counted: found,
    }));
    Ok(wrong)
}

async fn recount(connection: &mut SqliteConnection) -> Result<Counts, sqlx::Error> {
    let mut rows = sqlx::query(
        "SELECT uploads.profile, uploads.owner, counted_at AS address, counted_on AS day, \
         CAST(COALESCE(SUM(CASE WHEN lingers = 0 THEN files.size_bytes END), 0) + COALESCE(SUM(kept_bytes), 0) AS BIGINT) AS stored_bytes, \
         COUNT(CASE WHEN lingers = 0 THEN files.id END) + COUNT(kept_bytes) AS stored_files, \
         CAST(SUM(CASE WHEN lingers = 1 OR state IN ('issued', 'received', 'ready') THEN reserved_bytes ELSE 0 END) AS BIGINT) AS open_bytes, \
         CAST(SUM(CASE WHEN lingers = 1 OR state IN ('issued', 'received', 'ready') THEN 1 ELSE 0 END) AS BIGINT) AS open_files, \
         COUNT(*) AS begun \
         FROM uploads LEFT JOIN files ON files.id = uploads.id GROUP BY 1, 2, 3, 4",
    )
    .fetch(connection);
    let mut counts = Counts::new();
    while let Some(row) = rows.try_next().await? {
        let (counter, part) = counter(&row)?;
        let everywhere = Counter {
            profile: String::new(),
            ..counter.clone()
        };
        let all = Counter::of(&counter.profile, "");
        for counter in [counter, everywhere, all] {
            let whole = counts.entry(counter).or_default();
            whole.usage = whole.usage + part.usage;
            if whole.day <= part.day {
                whole.begun = whole.begun_on(part.day) + part.begun;
                whole.day = part.day;
            }
        }
    }
    Ok(counts)
}

fn counter(row: &SqliteRow) -> Result<(Counter, Standing), sqlx::Error> {
    let counter = Counter {
        profile: row.try_get("profile")?,
        owner: row.try_get("owner")?,
        address: row.try_get("address")?,
    };
    let standing = Standing {
        usage: Usage {
            stored_bytes: row.try_get("stored_bytes")?,
            stored_files: row.try_get("stored_files")?,
            open_bytes: row.try_get("open_bytes")?,
            open_files: row.try_get("open_files")?,
        },
        day: row.try_get("day")?,
        begun: row.try_get("begun")?,
    };
    Ok((counter, standing))
}

async fn read(
    connection: &mut SqliteConnection,
    counters: &BTreeSet<Counter>,
) -> Result<Counts, sqlx::Error> {
    let all: Vec<&Counter> = counters.iter().collect();
    let mut counts = Counts::new();
    for some in all.chunks(COUNTERS) {
        let rows = vec!["(?, ?, ?)"; some.len()].join(", ");
        let text = format!(
            "WITH asked (profile, owner, address) AS (VALUES {rows}) \
             SELECT usage.* FROM asked JOIN usage ON usage.profile = asked.profile \
             AND usage.owner = asked.owner AND usage.address = asked.address"
        );
        let mut query = sqlx::query(AssertSqlSafe(Arc::<str>::from(text)));
        for counter in some {
            query = query
                .bind(counter.profile.as_str())
                .bind(counter.owner.as_str())
                .bind(counter.address.as_str());
        }
        for row in &query.fetch_all(&mut *connection).await? {
            let (counter, standing) = counter(row)?;
            counts.insert(counter, standing);
        }
    }
    Ok(counts)
}

/// The counters of what begins together: who still fits is told by them, each in turn.
pub(super) struct Book<'a> {
    allowances: &'a Allowances,
    tallies: HashMap<Counter, Tally>,
    /// The day on which all of it begins.
    pub(super) today: i64,
}

/// A counter while uploads are let in.
#[derive(Default)]
struct Tally {
    /// As it was read, if something is limited by it, and moved on.
    standing: Standing,
    files: i64,
    bytes: i64,
}

impl<'a> Book<'a> {
    /// Reads what the quotas for these uploads go by.
    pub(super) async fn open(
        connection: &mut SqliteConnection,
        allowances: &'a Allowances,
        uploads: &[&Upload],
        today: i64,
    ) -> Result<Self, sqlx::Error> {
        let mut tallies = HashMap::new();
        let mut limited = BTreeSet::new();
        for upload in uploads {
            for (reach, counter) in upload.counters() {
                if tallies.contains_key(&counter) {
                    continue;
                }
                if !allowances.quota(reach, &upload.profile).is_unlimited() {
                    limited.insert(counter.clone());
                }
                tallies.insert(counter, Tally::default());
            }
        }
        for (counter, standing) in read(connection, &limited).await? {
            tallies.entry(counter).or_default().standing = standing;
        }
        Ok(Self {
            allowances,
            tallies,
            today,
        })
    }

    /// Lets an upload in and counts it, or says which quota leaves no room.
    pub(super) fn admit(&mut self, upload: &Upload) -> Result<(), Exceeded> {
        let counters = upload.counters();
        for (reach, counter) in &counters {
            let quota = self.allowances.quota(*reach, &upload.profile);
            let standing = self.tallies.get(counter).map(|tally| tally.standing);
            let standing = standing.unwrap_or_default();
            standing.admit((*reach, quota), upload, self.today)?;
        }
        for (_, counter) in counters {
            let tally = self.tallies.entry(counter).or_default();
            tally.standing.begin(upload, self.today);
            tally.files += 1;
            tally.bytes = tally.bytes.saturating_add(upload.usage().open_bytes);
        }
        Ok(())
    }

    /// Writes down what began.
    pub(super) async fn close(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let begun = self.tallies.iter().filter(|(_, tally)| tally.files > 0);
        let mut begun: Vec<_> = begun.collect();
        // In one order, as a database with several writers locks them.
        begun.sort_unstable_by_key(|(counter, _)| *counter);
        for some in begun.chunks(COUNTERS) {
            let rows = vec!["(?, ?, ?, 0, 0, ?, ?, ?, ?)"; some.len()].join(", ");
            let text = format!(
                "INSERT INTO usage (profile, owner, address, stored_bytes, stored_files, open_bytes, open_files, day, begun) \
                 VALUES {rows} ON CONFLICT (profile, owner, address) DO UPDATE SET \
                 open_bytes = usage.open_bytes + excluded.open_bytes, open_files = usage.open_files + excluded.open_files, \
                 begun = CASE WHEN usage.day < excluded.day THEN excluded.begun ELSE usage.begun + excluded.begun END, \
                 day = CASE WHEN usage.day < excluded.day THEN excluded.day ELSE usage.day END"
            );
            let mut query = sqlx::query(AssertSqlSafe(Arc::<str>::from(text)));
            for (counter, tally) in some {
                query = query
                    .bind(counter.profile.as_str())
                    .bind(counter.owner.as_str())
                    .bind(counter.address.as_str())
                    .bind(tally.bytes)
                    .bind(tally.files)
                    .bind(self.today)
                    .bind(tally.files);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Counts what a step makes of an upload.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    from: &Upload,
    to: &Upload,
) -> Result<(), sqlx::Error> {
    let change = to.usage() - from.usage();
    if change == Usage::default() {
        return Ok(());
    }
    for (_, counter) in to.counters() {
        sqlx::query(
            "UPDATE usage SET stored_bytes = stored_bytes + $1, stored_files = stored_files + $2, \
             open_bytes = open_bytes + $3, open_files = open_files + $4 \
             WHERE profile = $5 AND owner = $6 AND address = $7",
        )
        .bind(change.stored_bytes)
        .bind(change.stored_files)
        .bind(change.open_bytes)
        .bind(change.open_files)
        .bind(counter.profile)
        .bind(counter.owner)
        .bind(counter.address)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
