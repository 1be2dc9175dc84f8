//! Tests of `staged_file`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::domain::relative_path::RelativePath;
use crate::storage::local::destination::Destination;
use crate::storage::local::temp_name::is_temp_name;

fn stage(folder: &TempDir, name: &str) -> StagedFile {
    let destination = Destination::open(folder.path()).expect("a folder");
    let name = RelativePath::new(name).expect("a safe name");
    StagedFile::create(destination.resolve(&name).expect("a place")).expect("a file")
}

fn of(length: u64) -> Publish {
    Publish { length, modified: None, sync: SyncMode::Durable, if_exists: IfExists::Replace }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_has_its_name_only_once_it_is_published() {
    let folder = TempDir::new().expect("a folder");
    let staged = stage(&folder, "a");
    staged.write_at(3, b"def").expect("written");
    staged.write_at(0, b"abc").expect("written");
    let before = names(folder.path());
    assert!(before.len() == 1 && is_temp_name(OsStr::new(&before[0])), "{before:?}");
    let published = staged.publish(of(6)).expect("published");
    assert!(published.warning.is_none());
    assert_eq!(published.path, folder.path().join("a"));
    assert_eq!(names(folder.path()), ["a"]);
    assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"abcdef");
}

#[test]
fn a_file_that_took_the_place_of_one_on_its_way_is_not_published() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("a"), "old").expect("written");
    let staged = stage(&folder, "a");
    staged.write_at(0, b"new").expect("written");
    let temp = names(folder.path()).into_iter().find(|name| name != "a").expect("a temp name");
    fs::write(folder.path().join("other"), "xyz").expect("written");
    fs::rename(folder.path().join("other"), folder.path().join(&temp)).expect("renamed");
    staged.publish(of(3)).expect_err("refused");
    assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
    assert_eq!(fs::read(folder.path().join(&temp)).expect("it is not ours"), b"xyz");
}

#[test]
fn names_of_files_on_their_way_are_no_names_for_files() {
    let folder = TempDir::new().expect("a folder");
    let destination = Destination::open(folder.path()).expect("a folder");
    let name = ".haul-1a2037de5d182672";
    for path in [format!("{name}.part"), format!("{name}.MAP"), format!("{name}.part/below")] {
        let path = RelativePath::new(&path).expect("a safe name");
        assert_eq!(destination.resolve(&path).expect_err("refused").kind, Kind::OwnName);
    }
    let typed = Spot::exact(&folder.path().join(format!("{name}.part")));
    assert_eq!(typed.expect_err("refused").kind, Kind::OwnName);
}

#[test]
fn what_is_dropped_is_removed_and_the_old_file_stays() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("a"), "old").expect("written");
    let staged = stage(&folder, "a");
    staged.write_at(0, b"new").expect("written");
    drop(staged);
    assert_eq!(names(folder.path()), ["a"]);
    assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
}

#[test]
fn another_length_is_refused_and_the_old_file_stays() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("a"), "old").expect("written");
    for written in [2, 4] {
        let staged = stage(&folder, "a");
        staged.set_length(written).expect("a length");
        let error = staged.publish(of(3)).expect_err("refused");
        assert_eq!(error.kind, Kind::WrongLength);
    }
    assert_eq!(names(folder.path()), ["a"]);
    assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
}

#[test]
fn gathered_buffers_are_written_one_after_another() {
    let folder = TempDir::new().expect("a folder");
    let staged = stage(&folder, "a");
    let mut buffers = vec![Bytes::new(), Bytes::from_static(b"ab"), Bytes::new()];
    buffers.extend((0..3000_u32).map(|number| Bytes::from(number.to_string())));
    let expected = buffers.concat();
    staged.write_vectored_at(5, &buffers).expect("written");
    staged.write_vectored_at(0, &[]).expect("nothing to do");
    let mut content = vec![0; expected.len()];
    staged.read_at(5, &mut content).expect("read");
    assert!(content == expected);
}

#[test]
fn an_existing_file_is_kept_where_asked() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("a"), "old").expect("written");
    let keep = Publish { if_exists: IfExists::Keep, ..of(0) };
    let error = stage(&folder, "a").publish(keep).expect_err("refused");
    assert_eq!(error.kind, Kind::AlreadyExists);
    assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
    let _published = stage(&folder, "b").publish(keep).expect("published");
    assert_eq!(names(folder.path()), ["a", "b"]);
}

#[test]
fn a_directory_is_never_replaced() {
    let folder = TempDir::new().expect("a folder");
    for (name, inside) in [("empty", None), ("full", Some("full/x"))] {
        // It came after the place was looked at; before, it would have been refused there.
        let staged = stage(&folder, name);
        fs::create_dir(folder.path().join(name)).expect("a folder");
        if let Some(file) = inside {
            fs::write(folder.path().join(file), "x").expect("written");
        }
        let error = staged.publish(of(0)).expect_err("refused");
        assert_eq!(error.kind, Kind::IsDirectory);
    }
    assert_eq!(names(folder.path()), ["empty", "full"]);
}

#[test]
fn a_name_of_255_bytes_works_and_a_longer_one_is_an_error() {
    let folder = TempDir::new().expect("a folder");
    let long = "n".repeat(255);
    let _published = stage(&folder, &long).publish(of(0)).expect("published");
    assert_eq!(names(folder.path()), [long]);
    let longer = RelativePath::new(&"n".repeat(256)).expect("a safe name");
    let destination = Destination::open(folder.path()).expect("a folder");
    let error = destination.resolve(&longer).expect_err("refused before a byte is written");
    assert_eq!(error.kind, Kind::NameTooLong);
    assert_eq!(names(folder.path()).len(), 1);
}

/// What a run leaves that is killed after it wrote and recorded two pieces.
fn killed(folder: &TempDir, identity: &str) {
    let staged = stage(folder, "a");
    staged.begin_record(identity);
    staged.write_at(0, b"abc").expect("written");
    staged.record(FIRST);
    staged.write_at(5, b"fg").expect("written");
    staged.record(SECOND);
    assert_eq!(staged.keep(), Some(FIRST.length + SECOND.length));
}

const FIRST: Recorded = Recorded { offset: 0, length: 3, crc: 7 };
const SECOND: Recorded = Recorded { offset: 5, length: 2, crc: u64::MAX };

fn temp_file(folder: &TempDir, extension: &str) -> PathBuf {
    let mut paths = names(folder.path()).into_iter().map(|name| folder.path().join(name));
    paths.find(|path| path.extension().is_some_and(|end| end == extension)).expect("it is left")
}

fn open(folder: &TempDir) -> (StagedFile, Option<Earlier>) {
    let spot = Spot::exact(&folder.path().join("a")).expect("a place");
    StagedFile::open(spot).expect("opened")
}

#[test]
fn the_next_run_goes_on_and_leaves_only_the_file() {
    let folder = TempDir::new().expect("a folder");
    killed(&folder, "{}");
    assert_eq!(names(folder.path()).len(), 2);
    let (staged, earlier) = open(&folder);
    let wanted = Earlier { identity: "{}".to_owned(), pieces: vec![FIRST, SECOND] };
    assert_eq!(earlier, Some(wanted));
    staged.write_at(3, b"de").expect("written");
    let _published = staged.publish(of(7)).expect("published");
    assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"abcdefg");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn who_starts_anew_finds_nothing_of_the_earlier_run() {
    let folder = TempDir::new().expect("a folder");
    killed(&folder, "{}");
    let staged = stage(&folder, "a");
    let _published = staged.publish(of(0)).expect("it is empty");
    assert_eq!(names(folder.path()), ["a"]);

    killed(&folder, "{}");
    let (staged, earlier) = open(&folder);
    assert!(earlier.is_some());
    staged.start_anew().expect("emptied");
    staged.begin_record("{2}");
    assert_eq!(staged.keep(), None, "nothing is recorded of the new one");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn what_is_not_kept_is_removed_with_its_record() {
    let folder = TempDir::new().expect("a folder");
    killed(&folder, "{}");
    drop(open(&folder));
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn a_record_without_its_bytes_counts_for_nothing() {
    let folder = TempDir::new().expect("a folder");
    killed(&folder, "{}");
    fs::remove_file(temp_file(&folder, "part")).expect("removed");
    let (staged, earlier) = open(&folder);
    assert_eq!(earlier, None);
    staged.begin_record("{}");
    let _published = staged.publish(of(0)).expect("published");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn bytes_without_a_record_are_dropped() {
    let folder = TempDir::new().expect("a folder");
    killed(&folder, "{}");
    fs::remove_file(temp_file(&folder, "map")).expect("removed");
    let (staged, earlier) = open(&folder);
    assert_eq!(earlier, None);
    let _published = staged.publish(of(0)).expect("it is empty");
}

#[test]
fn two_at_work_on_one_file_do_not_meet() {
    let folder = TempDir::new().expect("a folder");
    killed(&folder, "{}");
    let (first, earlier) = open(&folder);
    let (second, other) = open(&folder);
    assert!(earlier.is_some() && other.is_none());
    second.begin_record("{}");
    second.write_at(0, b"other").expect("written");
    second.record(FIRST);
    assert_eq!(second.keep(), None, "nobody would find it");
    let mut bytes = [0; 3];
    first.read_at(0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"abc");
    drop(first);
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn more_than_the_disk_has_is_refused_before_it_is_taken() {
    let folder = TempDir::new().expect("a folder");
    let staged = stage(&folder, "a");
    let error = staged.reserve(1 << 60).expect_err("refused");
    assert!(error.is_full(), "{error}");
    assert_eq!(staged.file.metadata().expect("metadata").len(), 0);
    staged.reserve(RESERVED_FROM).expect("there is room");
    staged.reserve(1).expect("nothing to do");
}

#[test]
fn the_modification_time_is_the_one_given() {
    let folder = TempDir::new().expect("a folder");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let publish = Publish { modified: Some(modified), sync: SyncMode::Lazy, ..of(0) };
    let _published = stage(&folder, "a").publish(publish).expect("published");
    let metadata = fs::metadata(folder.path().join("a")).expect("metadata");
    assert_eq!(metadata.modified().expect("a time"), modified);
}

#[cfg(unix)]
#[test]
fn the_mode_follows_the_umask_and_sets_no_special_bit() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode();
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("plain"), "").expect("written");
    let _published = stage(&folder, "a").publish(of(0)).expect("published");
    assert_eq!(mode(&folder.path().join("a")), mode(&folder.path().join("plain")));
    let staged = stage(&folder, "b");
    staged.set_mode(0o4751).expect("a mode");
    let _published = staged.publish(of(0)).expect("published");
    assert_eq!(mode(&folder.path().join("b")) & 0o7777, 0o751);
}

#[cfg(unix)]
#[test]
fn a_symlink_that_has_the_name_is_refused_and_not_written_through() {
    let outside = TempDir::new().expect("a folder");
    let victim = outside.path().join("victim");
    fs::write(&victim, "kept").expect("written");
    let folder = TempDir::new().expect("a folder");
    std::os::unix::fs::symlink(&victim, folder.path().join("a")).expect("a link");
    let destination = Destination::open(folder.path()).expect("a folder");
    let path = RelativePath::new("a").expect("a safe name");
    let error = destination.resolve(&path).expect_err("a link");
    assert_eq!(error.kind, Kind::Symlink);
    assert_eq!(fs::read(&victim).expect("a file"), b"kept");
    assert!(folder.path().join("a").is_symlink());
}

#[test]
fn many_threads_publish_in_one_folder() {
    let folder = TempDir::new().expect("a folder");
    let destination = Destination::open(folder.path()).expect("a folder");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let destination = &destination;
            scope.spawn(move || {
                for number in 0..25 {
                    let name = format!("d{}/{thread}-{number}", number % 3);
                    let path = RelativePath::new(&name).expect("a safe name");
                    let spot = destination.resolve(&path).expect("a place");
                    let staged = StagedFile::create(spot).expect("a file");
                    staged.write_at(0, name.as_bytes()).expect("written");
                    let length = name.len() as u64;
                    let _published = staged.publish(of(length)).expect("published");
                }
            });
        }
    });
    let found: Vec<_> =
        (0..3).flat_map(|number| names(&folder.path().join(format!("d{number}")))).collect();
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|name| !is_temp_name(OsStr::new(name))));
    assert!(destination.sync_cost().average() > Duration::ZERO);
}
