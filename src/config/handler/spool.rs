use std::path::PathBuf;

use crate::config::section::Section;

/// `[….handler.spool]`: write the body into a directory, as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntoSpool {
    /// The directory; it has to be there.
    pub directory: PathBuf,
}

pub(super) fn read(section: &mut Section<'_>) -> IntoSpool {
    let directory = section.path_of("directory");
    if !section.has("directory") {
        section.missing("directory", "\"/var/spool/longshore/orders\"");
    }
    IntoSpool { directory: directory.unwrap_or_default() }
}
