//! A request that carries a body, on its way: how long it may take, and how far it is. What it has
//! sent is progress at once, not only when its reply comes: on a thin line that takes minutes. What
//! a request counted that fails, or is given up, it takes back itself.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::context::Work;
use super::gauge::JobGauge;
use super::patience::Overdue;
use crate::storage::error::{Kind, StoreError};
use crate::storage::object_store::Body;

/// How often a body that is being sent is looked at: often enough for a bar that moves, and
/// small objects are through before.
const LOOK: Duration = Duration::from_millis(250);

impl Work {
    /// Bounds one request that sends `body`, and counts its bytes as they leave. The connection must
    /// take bytes all the time, however few, unless others that share its link do; once it has them
    /// all, the reply must come.
    pub(super) async fn in_time_sending<T>(
        &self,
        operation: &'static str,
        body: &Body,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let timeout = self.context.limits.timeout;
        let length = body.bytes.len() as u64;
        let mut sending = self.context.uplink.start(length, timeout).await;
        let mut on_their_way = OnTheirWay::new(&self.gauge);
        let period = (timeout / 8).min(LOOK);
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut request = std::pin::pin!(request);
        let overdue = loop {
            tokio::select! {
                biased;
                reply = &mut request => {
                    if reply.is_ok() {
                        on_their_way.arrived(length);
                        sending.arrived();
                    }
                    return reply;
                }
                _ = looks.tick() => {
                    let taken = body.taken.bytes().min(length);
                    on_their_way.reach(taken);
                    if let Some(overdue) = sending.look(taken) {
                        break overdue;
                    }
                }
            }
        };
        let message = match overdue {
            Overdue::NotTaken { taken, silence } => {
                let silence = silence.as_secs();
                format!("the connection took no byte for {silence} s, after {taken} of {length}")
            }
            Overdue::NoReply { silence } => format!("no reply within {} s", silence.as_secs()),
        };
        Err(StoreError::new(operation, Kind::Transient).with_message(message))
    }
}

/// Bytes of one request that were counted before it is known whether they arrive. Dropped, it takes
/// them back, all of them and no others.
struct OnTheirWay<'a> {
    gauge: &'a JobGauge,
    counted: u64,
}

impl<'a> OnTheirWay<'a> {
    fn new(gauge: &'a JobGauge) -> Self {
        Self { gauge, counted: 0 }
    }

    /// So many have left by now.
    fn reach(&mut self, bytes: u64) {
        self.gauge.count(bytes.saturating_sub(self.counted));
        self.counted = self.counted.max(bytes);
    }

    /// All `length` of them are where they belong.
    fn arrived(mut self, length: u64) {
        self.reach(length);
        self.counted = 0;
    }
}

impl Drop for OnTheirWay<'_> {
    fn drop(&mut self) {
        if self.counted > 0 {
            self.gauge.uncount(self.counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Notify, mpsc};

    use super::*;
    use crate::domain::job::{Expected, Fate, Job, LocalSource, Task, Upload};
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::storage::memory::MemoryStore;
    use crate::storage::object_store::{Write, WriteIf};
    use crate::transfer::cancel::Cancel;
    use crate::transfer::context::{Context, Limits};
    use crate::transfer::gauge::Gauge;
    use crate::transfer::verify::USUAL_CRC;

    const LENGTH: usize = 1000;
    /// Of them, so many leave before anything else happens.
    const LEFT: usize = 700;
    /// Counted before, by other requests of the same job.
    const BEFORE: u64 = 50;
    const PATIENT: Duration = Duration::from_mins(2);

    struct Scene {
        work: Work,
        run: Arc<Gauge>,
    }

    impl Scene {
        fn new(timeout: Duration) -> Self {
            let run = Arc::new(Gauge::default());
            let limits = Limits::for_reading(timeout);
            let (events, _) = mpsc::channel(1);
            let store = Arc::new(MemoryStore::with_bucket("bucket"));
            let cancel = Arc::new(Cancel::default());
            let context = Context::new(store, limits, cancel, Arc::clone(&run), events);
            let source = LocalSource::Stdin { expected_size: None };
            let (attributes, expected) = (Arc::default(), Expected::default());
            let task = Task::Upload(Upload { source, object: object(), attributes, expected });
            let job = Arc::new(Job { number: 1, line: None, task, fate: Fate::Kept });
            let work = Work::new(Arc::new(context), job, Some(LENGTH as u64));
            work.gauge.count(BEFORE);
            Self { work, run }
        }

        /// What the job and the run have counted beyond what was counted before.
        fn counted(&self) -> (u64, u64) {
            (self.work.gauge.bytes() - BEFORE, self.run.sample().bytes - BEFORE)
        }

        /// The connection takes the first bytes, and then waits to be told how the request ends.
        async fn request(
            &self,
            body: &Body,
            end: &Notify,
            reply: Result<(), StoreError>,
        ) -> Result<(), StoreError> {
            let first = Body { bytes: body.bytes.slice(..LEFT), ..body.clone() };
            let write = Write { attributes: Arc::default(), condition: WriteIf::Always };
            self.work.context.store.put(&object(), first, &write).await?;
            end.notified().await;
            reply
        }

        async fn until_counted(&self, bytes: u64) {
            let counted = async {
                while self.counted() != (bytes, bytes) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(PATIENT, counted).await.expect("counted");
        }
    }

    fn object() -> ObjectName {
        ObjectName::new(Bucket::new("bucket").expect("a name"), Key::new("key").expect("a key"))
    }

    fn body() -> Body {
        // Of what the store gets here.
        let checksum = USUAL_CRC.checksum(USUAL_CRC.of(&[7; LEFT]));
        Body::new(vec![7; LENGTH].into(), checksum)
    }

    fn lost() -> StoreError {
        StoreError::new("PutObject", Kind::Transient)
    }

    #[tokio::test]
    async fn bytes_count_as_they_leave_and_a_request_that_fails_takes_back_its_own() {
        for (reply, counted) in [(Ok(()), LENGTH as u64), (Err(lost()), 0)] {
            let (scene, body, end) = (Scene::new(PATIENT), body(), Notify::new());
            let is_ok = reply.is_ok();
            let request = scene.request(&body, &end, reply);
            let sending = scene.work.in_time_sending("PutObject", &body, request);
            let watching = async {
                scene.until_counted(LEFT as u64).await;
                end.notify_one();
            };
            let (sent, ()) = tokio::join!(sending, watching);
            assert_eq!(sent.is_ok(), is_ok);
            assert_eq!(scene.counted(), (counted, counted));
        }
    }

    #[tokio::test]
    async fn what_is_given_up_in_the_middle_or_waited_for_too_long_is_taken_back() {
        let (scene, body, end) = (Scene::new(PATIENT), body(), Notify::new());
        {
            let request = scene.request(&body, &end, Ok(()));
            let sending = scene.work.in_time_sending("PutObject", &body, request);
            tokio::select! {
                _ = sending => unreachable!("nobody ends it"),
                () = scene.until_counted(LEFT as u64) => {}
            }
        }
        assert_eq!(scene.counted(), (0, 0), "dropped");
        let (scene, again) = (Scene::new(Duration::from_millis(8)), body.again());
        let request = scene.request(&again, &end, Ok(()));
        let sent = scene.work.in_time_sending("PutObject", &again, request).await;
        assert_eq!(sent.map_err(|error| error.kind), Err(Kind::Transient));
        assert_eq!(scene.counted(), (0, 0), "overdue");
    }

    /// Sends two megabytes in so many steps, one each so many seconds, once the buffers are full.
    async fn send(work: &Work, steps: u32, pause: u64) -> Result<(), StoreError> {
        let body = Body::new(vec![0; 2 << 20].into(), USUAL_CRC.checksum(0));
        let request = async {
            let _no_wait = body.taken.add(600 << 10);
            for _ in 0..steps {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                let _no_wait = body.taken.add(u64::from((1400 << 10) / steps));
            }
            Ok(())
        };
        work.in_time_sending("PutObject", &body, request).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_body_is_waited_for_while_others_move_over_the_same_link() {
        let scene = Scene::new(Duration::from_secs(30));
        let alone = send(&scene.work, 2, 45).await;
        assert!(alone.is_err(), "it was silent for too long");
        let shared = tokio::join!(send(&scene.work, 2, 45), send(&scene.work, 40, 3));
        assert!(shared.0.is_ok() && shared.1.is_ok(), "{shared:?}");
    }
}
