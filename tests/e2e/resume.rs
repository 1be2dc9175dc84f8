//! Going on inside an object where an earlier run was killed, interrupted or gave up: what is sent
//! again, what is trusted, and what is left behind.

mod downloads;
mod uploads;
