//! Tables of `MySQL`, `MariaDB` and `PostgreSQL` databases.
