//! The machine under the program: disks that are full, slow, broken or not ours, system calls that
//! fail, few descriptors, threads and little memory, and somebody who works against it in the same
//! folder. Whatever happens there, no run says that it is done when it is not, no old file is lost,
//! and nothing is written outside. It must never pass over a missing tool in silence:
//! `lab::skip` says it. Run as root it tests most.

mod attackers;
mod calls;
mod full;
mod lab;
mod limits;
mod moments;
mod places;
mod rights;
mod sweep;
