//! Archives that depend on nothing but the names and bytes of their files.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use crate::Result;

/// Writes a tar.gz with a folder, under its own name.
pub fn compressed(folder: &Path, to: &Path) -> Result<String> {
    let name = folder.file_name().ok_or("a folder with a name")?;
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255) // unknown
        .write(BufWriter::new(File::create(to)?), Compression::best());
    let gzip = write(folder, Path::new(name), gzip)?;
    gzip.finish()?.flush()?;
    Ok(String::new())
}

/// Writes a tar with what is in a folder.
pub fn plain(folder: &Path, to: &Path) -> Result<String> {
    let file = BufWriter::new(File::create(to)?);
    write(folder, Path::new(""), file)?.flush()?;
    Ok(String::new())
}

/// The entries sorted by name, of the user 0 and one time.
fn write<W: Write>(folder: &Path, name: &Path, to: W) -> Result<W> {
    let time = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text
            .parse()
            .map_err(|_| "SOURCE_DATE_EPOCH must be a number of seconds")?,
        Err(_) => 0,
    };
    let mut builder = tar::Builder::new(to);
    for path in entries(folder)? {
        let place: PathBuf = name.iter().chain(path.strip_prefix(folder)?).collect();
        if place.as_os_str().is_empty() {
            continue;
        }
        let metadata = fs::metadata(&path)?;
        let is_program = metadata.permissions().mode() & 0o100 != 0;
        let mut header = tar::Header::new_ustar();
        header.set_mode(if is_program { 0o755 } else { 0o644 });
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        if metadata.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            builder.append_data(&mut header, place, std::io::empty())?;
        } else {
            header.set_size(metadata.len());
            builder.append_data(&mut header, place, File::open(&path)?)?;
        }
    }
    Ok(builder.into_inner()?)
}

/// A folder and all that is in it, each folder before its files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![folder.to_owned()];
    let listed: std::io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut paths: Vec<PathBuf> = listed?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true => found.extend(entries(&path)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is filled in this order, with a program in it.
    fn filled(order: [&str; 3]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("keygate-1");
        for name in order {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, name).unwrap();
            if name.starts_with("bin") {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
        dir
    }

    #[test]
    fn the_order_and_the_time_in_which_files_were_made_do_not_matter() {
        let names = ["bin/keygate", "docs/README.md", "a.txt"];
        let archives = [names, [names[2], names[1], names[0]]].map(|order| {
            let dir = filled(order);
            let file = dir.path().join("a.tar.gz");
            compressed(&dir.path().join("keygate-1"), &file).unwrap();
            fs::read(file).unwrap()
        });
        assert_eq!(archives[0], archives[1]);
        let gzip = flate2::read::GzDecoder::new(&archives[0][..]);
        let mut archive = tar::Archive::new(gzip);
        let found = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            let path = entry.path().unwrap().display().to_string();
            (path, header.mode().unwrap())
        });
        let expected = [
            ("keygate-1", 0o755),
            ("keygate-1/a.txt", 0o644),
            ("keygate-1/bin", 0o755),
            ("keygate-1/bin/keygate", 0o755),
            ("keygate-1/docs", 0o755),
            ("keygate-1/docs/README.md", 0o644),
        ];
        let expected = expected.map(|(path, mode)| (path.to_owned(), mode));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
