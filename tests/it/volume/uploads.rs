//! Archives that are sent: whole or not there, whoever waits for them.

use std::io::Write;

use offhost::controller::volume::{UploadError, Volume};
use offhost::reason::Reason;
use offhost::status::Planned;
use sha2::{Digest, Sha256};

use super::{Job, Place, REPORT, at, listing};

pub(super) fn archive(content: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in content {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&tar).unwrap();
    packed.finish().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn send(volume: &Volume, sha256: &str, bytes: &[u8], announced: usize) -> Result<bool, UploadError> {
    let Some(mut upload) = volume.upload_begin(sha256, announced as u64)? else {
        return Ok(false);
    };
    for part in bytes.chunks(100) {
        upload.write(part)?;
    }
    upload.commit()?;
    Ok(true)
}

fn there(place: &Place) -> Vec<String> {
    listing(&place.data("incoming/.uploads"))
}

/// Proves: AP2 (P), OH1 (P)
#[test]
fn a_job_waits_for_its_archive_and_deploys_it_once() {
    let place = Place::new();
    let volume = place.open();
    let bytes = archive(REPORT);
    let sha256 = digest(&bytes);
    let job = Job::of_archive(1, &sha256, bytes.len());
    for _ in 0..2 {
        let Planned::Waiting(problem) = place.bundle(&volume, &job).unwrap_err().planned() else {
            panic!("it waits");
        };
        assert_eq!(problem.reason, Reason::AwaitingUpload);
        assert!(problem.message.contains(&sha256), "{}", problem.message);
    }
    assert!(send(&volume, &sha256, &bytes, bytes.len()).unwrap());
    assert!(
        !send(&volume, &sha256, &bytes, bytes.len()).unwrap(),
        "it is there"
    );
    let bundle = place.bundle(&volume, &job).unwrap();
    assert_eq!(bundle.bundle, 1);
    assert!(place.data("apps/sales/1/report.Rmd").is_file());
    // Until the status names the bundle the archive stays, also for the next controller.
    assert_eq!(there(&place), [sha256.as_str()]);
    drop(volume);
    let volume = place.open();
    volume.adopt(&[job.open(None)], at(1)).unwrap();
    assert_eq!(place.bundle(&volume, &job).unwrap().bundle, 1);
    let job = job.pinned(&bundle.content, bundle.bundle);
    assert_eq!(place.bundle(&volume, &job).unwrap().bundle, 1);
    assert_eq!(there(&place), [""; 0]);
}

#[test]
fn two_jobs_of_one_archive_both_have_it() {
    let place = Place::new();
    let bytes = archive(REPORT);
    let sha256 = digest(&bytes);
    let jobs = [1, 2].map(|uid| {
        let mut job = Job::of_archive(uid, &sha256, bytes.len());
        job.spec.content = Some(format!("content-{uid}"));
        job
    });
    let volume = place.open();
    assert!(jobs.iter().all(|job| place.bundle(&volume, job).is_err()));
    send(&volume, &sha256, &bytes, bytes.len()).unwrap();
    // The second one was not looked at since the restart.
    drop(volume);
    let volume = place.open();
    volume
        .adopt(&jobs.each_ref().map(|job| job.open(None)), at(1))
        .unwrap();
    let first = place.bundle(&volume, &jobs[0]).unwrap();
    let pinned = jobs[0].clone().pinned(&first.content, first.bundle);
    place.bundle(&volume, &pinned).unwrap();
    assert_eq!(there(&place), [sha256.as_str()]);
    assert_eq!(
        place.bundle(&volume, &jobs[1]).unwrap().content.as_str(),
        "content-2"
    );
    // One that is deleted waits no more.
    volume.release(&jobs[1].uid);
    assert_eq!(there(&place), [""; 0]);
}

#[test]
fn what_is_not_what_was_announced_is_not_taken() {
    let place = Place::new();
    let volume = place.open();
    let bytes = archive(REPORT);
    let sha256 = digest(&bytes);
    let mut other = bytes.clone();
    other[20] ^= 1;
    let error = send(&volume, &sha256, &other, other.len()).unwrap_err();
    assert!(
        matches!(error, UploadError::Other { .. }) && error.status() == 400,
        "{error}"
    );
    let error = send(&volume, &sha256, &bytes[..50], bytes.len()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("only 50 of {} bytes", bytes.len())),
        "{error}"
    );
    let error = send(&volume, &sha256, &bytes, bytes.len() - 1).unwrap_err();
    assert!(matches!(error, UploadError::Longer { .. }), "{error}");
    for (sha256, bytes, status) in [
        (&*"0".repeat(63), 10, 400),
        ("../../../../etc/passwd", 10, 400),
        (&"A".repeat(64), 10, 400),
        (&sha256, 0, 413),
        (&sha256, u64::MAX, 413),
    ] {
        let error = volume.upload_begin(sha256, bytes).map(|_| ()).unwrap_err();
        assert_eq!(error.status(), status, "{error}");
    }
    assert_eq!(there(&place), [""; 0]);
    assert!(
        place
            .bundle(&volume, &Job::of_archive(1, &sha256, bytes.len()))
            .is_err()
    );
}

#[test]
fn an_upload_that_was_cut_off_is_swept_and_one_that_goes_on_is_not() {
    let place = Place::new();
    let volume = place.open();
    let bytes = archive(REPORT);
    let sha256 = digest(&bytes);
    let mut going_on = volume.upload_begin(&sha256, bytes.len() as u64).unwrap().unwrap();
    going_on.write(&bytes[..10]).unwrap();
    // What a kill leaves: a file that nobody locks.
    std::fs::write(place.data("incoming/.uploads/.staging-dead"), "half").unwrap();
    let swept = place.open_beside().adopt(&[], at(1)).unwrap();
    assert_eq!(swept.removed.len(), 1, "{swept:?}");
    going_on.write(&bytes[10..]).unwrap();
    going_on.commit().unwrap();
    assert_eq!(there(&place), [sha256.as_str()]);
    // An old one stays for as long as a job waits for it.
    let job = Job::of_archive(1, &sha256, bytes.len());
    let much_later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let next = place.open_beside();
    assert!(
        next.adopt(&[job.open(None)], much_later)
            .unwrap()
            .removed
            .is_empty()
    );
    assert!(
        place.open_beside().adopt(&[], at(1)).unwrap().removed.is_empty(),
        "it is new"
    );
    assert_eq!(
        place.open_beside().adopt(&[], much_later).unwrap().removed.len(),
        1
    );
    assert_eq!(there(&place), [""; 0]);
}

/// Proves: AP2 (P)
#[test]
fn an_archive_that_can_not_be_unpacked_is_refused_in_one_sentence() {
    let place = Place::new();
    let volume = place.open();
    for (uid, bytes, part) in [
        (
            1,
            b"PK\x03\x04 a zip".to_vec(),
            "is not a .tar.gz or .tar archive",
        ),
        (2, archive(REPORT)[..80].to_vec(), "is cut off"),
        (3, escaping(), "has '..' in it"),
    ] {
        let sha256 = digest(&bytes);
        let job = Job::of_archive(uid, &sha256, bytes.len());
        assert!(place.bundle(&volume, &job).is_err());
        send(&volume, &sha256, &bytes, bytes.len()).unwrap();
        let Planned::Refused(problem) = place.bundle(&volume, &job).unwrap_err().planned() else {
            panic!("{part}");
        };
        assert!(problem.message.contains(part), "{}", problem.message);
        assert!(problem.message.contains(&sha256), "{}", problem.message);
        volume.release(&job.uid);
    }
    assert_eq!(there(&place), [""; 0]);
    assert_eq!(listing(&place.data("apps")), [""; 0]);
    let mut large = Job::of_archive(9, &"0".repeat(64), 1);
    large.spec.bundle.archive.as_mut().unwrap().bytes = 1 << 40;
    let Planned::Refused(problem) = place.bundle(&volume, &large).unwrap_err().planned() else {
        panic!("it is too large");
    };
    assert!(problem.message.contains("may have"), "{}", problem.message);
}

/// A tar with an entry that leads out.
fn escaping() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let name = b"a/../../x";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, &b"x"[..]).unwrap();
    tar.into_inner().unwrap()
}

/// Several jobs may be sent the same at once.
#[test]
fn the_same_archive_sent_twice_at_once_is_taken_once() {
    let place = Place::new();
    let volume = place.open();
    let bytes = archive(REPORT);
    let sha256 = digest(&bytes);
    let length = bytes.len() as u64;
    let [mut one, mut two] = [(); 2].map(|()| volume.upload_begin(&sha256, length).unwrap().unwrap());
    one.write(&bytes).unwrap();
    two.write(&bytes).unwrap();
    one.commit().unwrap();
    two.commit().unwrap();
    assert_eq!(there(&place), [sha256]);
}
