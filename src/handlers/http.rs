use crate::config;
use crate::error::Result;
use crate::handler::BoxHandler;
pub(super) fn build(_s: &config::Http, _name: &str) -> Result<BoxHandler> {
    unimplemented!()
}
