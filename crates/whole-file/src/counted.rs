//! A file that tells how far it has been read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// A file that is read from start to end, as a rule, and tells how many bytes have been read, and how many it has.
#[derive(Debug)]
pub struct CountedFile<F> {
    file: File,
    done: u64,
    told: u64,
    total: u64,
    every: u64,
    on_bytes: F,
}

impl<F: FnMut(u64, u64)> CountedFile<F> {
    /// Calls `on_bytes` with the bytes read and those of the whole file, each time `every` bytes more have been read, and
    /// at the end.
    ///
    /// # Errors
    /// If the file's size cannot be found out.
    pub fn new(file: File, every: u64, on_bytes: F) -> io::Result<Self> {
        let total = file.metadata()?.len();
        Ok(Self { file, done: 0, told: 0, total, every, on_bytes })
    }
}

impl<F: FnMut(u64, u64)> Read for CountedFile<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.done += n as u64;
        let is_end = n == 0 && !buffer.is_empty() && self.told < self.done;
        if self.done >= self.told + self.every || is_end {
            self.told = self.done;
            (self.on_bytes)(self.done, self.total);
        }
        Ok(n)
    }
}

impl<F: FnMut(u64, u64)> Seek for CountedFile<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.file.seek(to)?;
        (self.done, self.told) = (at, at);
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_steps_and_at_the_end() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a");
        crate::write(&path, &[1; 25])?;
        let mut told = Vec::new();
        let mut file = CountedFile::new(File::open(&path)?, 10, |done, total| {
            told.push((done, total));
        })?;
        let mut buffer = [0; 6];
        while file.read(&mut buffer)? > 0 {}
        file.seek(SeekFrom::Start(20))?;
        while file.read(&mut buffer)? > 0 {}
        assert_eq!(told, [(12, 25), (24, 25), (25, 25), (25, 25)]);
        Ok(())
    }
}
