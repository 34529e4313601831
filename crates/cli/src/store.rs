//! `keygate store`: copies the database of the key service, and backs it up.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use keygate_core::text::hex;
use keygate_service::store::{self, Copied, CopyError};

use crate::error::CliError;
use crate::output;
use crate::place::{StoreArgs, StoreSettings, place};

/// Copy or back up the database of the key service.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(CopyArgs),
    Backup(BackupArgs),
}

/// Runs one of them.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Copy(args) => copy(&args),
        Command::Backup(args) => backup(args),
    }
}

const COPY_EXAMPLES: &str = "\
Examples:
  keygate store copy keygate.db postgres://keygate@db.example.com/keygate
  keygate store copy postgres://keygate@db.example.com/keygate keygate.db

Stop the key service first. Keys, tokens, the audit log and all else are copied as they are, so
no key is issued again. At the end, both databases are read and compared: the command prints
the SHA-256 of each table. If it is interrupted, run it again: it continues, and the key service
does not start on the target before. Edges forget what they have cached.

The password of a URL comes from --store-password-file or from the file that PGPASSFILE names.";

/// Copy the database to another one, between SQLite and PostgreSQL in any direction.
#[derive(clap::Args)]
#[command(after_help = COPY_EXAMPLES)]
struct CopyArgs {
    /// SQLite file or postgres://USER@HOST/DATABASE to read; no service may use it
    from: String,
    /// SQLite file or URL to write; created if it does not exist, and empty otherwise
    to: String,
    /// File with the password of the URL, or of both; one trailing line break is removed
    #[arg(long, value_name = "FILE", env = "KEYGATE_STORE_PASSWORD_FILE")]
    store_password_file: Option<PathBuf>,
}

const BACKUP_EXAMPLES: &str = "\
Examples:
  keygate store backup --database /var/lib/keygate/keygate.db /var/backups/keygate.db
  keygate store backup --store postgres://keygate@db.example.com/keygate keygate-backup.db

The key service can go on meanwhile: the backup has one state of the database. To restore it,
start `keygate serve --database FILE`, or copy it: `keygate store copy FILE postgres://…`. Then
repeat each revocation that was made after the backup.";

/// Write a backup of the database to a SQLite file, while the key service runs.
#[derive(clap::Args)]
#[command(after_help = BACKUP_EXAMPLES)]
struct BackupArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The file to write, which must not exist
    file: PathBuf,
}

fn copy(args: &CopyArgs) -> Result<ExitCode, CliError> {
    let password = args.store_password_file.as_deref();
    let from = place(&args.from, "FROM", password)?;
    let to = place(&args.to, "TO", password)?;
    print("copied", store::copy(&from, &to))
}

fn backup(args: BackupArgs) -> Result<ExitCode, CliError> {
    let from = args.store.place(StoreSettings::default())?;
    print("backed up", store::backup(&from, &args.file))
}

fn print(done: &str, copied: Result<Copied, CopyError>) -> Result<ExitCode, CliError> {
    let copied = copied.map_err(|error| match error {
        CopyError::Differs(_) => CliError::No(error.to_string()),
        _ => CliError::Usage(error.to_string()),
    })?;
    let mut rows = vec![["TABLE", "ROWS", "SHA-256"].map(str::to_owned).to_vec()];
    rows.extend(copied.tables.iter().map(|table| {
        vec![
            table.table.to_owned(),
            table.rows.to_string(),
            hex::encode(&table.digest),
        ]
    }));
    output::line(&output::table(&rows))?;
    let there = match copied.present {
        0 => String::new(),
        present => format!(", {present} rows were there already"),
    };
    output::line(&format!(
        "{done} {} keys, {} rows in all{there}, in {:.1} s; both databases have the SHA-256 {}",
        copied.rows("keys"),
        copied.tables.iter().map(|it| it.rows).sum::<u64>(),
        copied.took.as_secs_f64(),
        hex::encode(&copied.digest()),
    ))?;
    Ok(ExitCode::SUCCESS)
}
