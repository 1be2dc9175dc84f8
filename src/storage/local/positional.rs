//! Reads and writes at an offset, and the calls on an open file that systems have under different
//! names. Each does all that was asked for or fails.

use std::fs::File;
use std::io;

use bytes::Bytes;

#[cfg(unix)]
pub(super) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn write_at(file: &File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer`, or fails with `UnexpectedEof`.
#[cfg(unix)]
pub(super) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buffer.is_empty() {
        match file.seek_read(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
pub(super) fn write_vectored_at(file: &File, mut offset: u64, buffers: &[Bytes]) -> io::Result<()> {
    use std::io::IoSlice;
    // IOV_MAX: more in one call is refused.
    for group in buffers.chunks(1024) {
        let mut slices: Vec<IoSlice<'_>> =
            group.iter().map(|buffer| IoSlice::new(buffer)).collect();
        let mut left = slices.as_mut_slice();
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match rustix::io::pwritev(file, left, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn write_vectored_at(file: &File, mut offset: u64, buffers: &[Bytes]) -> io::Result<()> {
    for buffer in buffers {
        write_at(file, offset, buffer)?;
        offset += buffer.len() as u64;
    }
    Ok(())
}

/// Takes the room for `length` bytes, and makes the file that long. Not `posix_fallocate`, which
/// writes every block where the file system can't do better.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn allocate(file: &File, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    if is_in_memory(file) {
        return file.set_len(length);
    }
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            // A long allocation of a file system that lets itself be interrupted.
            Err(rustix::io::Errno::INTR) => {}
            allocated => return Ok(allocated?),
        }
    }
}

/// Whether the file is in a file system that has no disk. There, to take room is to make each page,
/// which is half the work of writing it: done at once and by one thread, it held up a download of
/// 1 GiB for a quarter of its time.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_in_memory(file: &File) -> bool {
    const TMPFS: u32 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|facts| u32::try_from(facts.f_type) == Ok(TMPFS))
}

#[cfg(target_vendor = "apple")]
fn is_in_memory(_file: &File) -> bool {
    false
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn allocate(_file: &File, _length: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes of the disk that the file has already, written or reserved.
#[cfg(unix)]
pub(super) fn allocated(file: &File) -> u64 {
    use std::os::unix::fs::MetadataExt;
    file.metadata().map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

#[cfg(not(unix))]
pub(super) fn allocated(_file: &File) -> u64 {
    0
}

/// Bytes that this user may still write to the file's file system, where the system tells.
#[cfg(unix)]
pub(super) fn free_space(file: &File) -> Option<u64> {
    let facts = rustix::fs::fstatvfs(file).ok()?;
    facts.f_bavail.checked_mul(facts.f_frsize)
}

#[cfg(not(unix))]
pub(super) fn free_space(_file: &File) -> Option<u64> {
    None
}

#[cfg(unix)]
pub(super) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
pub(super) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}
