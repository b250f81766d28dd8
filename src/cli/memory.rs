//! Out of memory: the command ends with a message and an exit code of its own, as it does when the
//! machine lacks anything else. Rust would abort it (134), as a bug does.

use std::alloc::{GlobalAlloc, Layout, System};

use super::exit::ENVIRONMENT;

/// The system's allocator, which never returns nothing.
#[derive(Debug)]
pub struct OrExit;

const MESSAGE: &[u8] = b"error: the machine has no more memory for redrill (see `ulimit -v`, and \
the limit of a container); what servers left is removed by `redrill gc`\n";

fn some(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        // No more is done than two system calls: nothing can be allocated.
        // SAFETY: 2 is the standard error, and the message lives for ever.
        unsafe {
            libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
            libc::_exit(ENVIRONMENT.into());
        }
    }
    memory
}

// SAFETY: all is done by the system's allocator; what it returns is passed on as it is.
unsafe impl GlobalAlloc for OrExit {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        some(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        some(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        some(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}
