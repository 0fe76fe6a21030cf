//! Conditions on projects, flows, tasks and runs, which clients combine freely, as SQL. The aliases are the same in every
//! statement: `p` a project, `f` a flow, `k` a task, `r` a flow's run, `t` a task's run, `s` a state, `l` a line of a log.

use chrono::{DateTime, Utc};
use domain::Direction;
use uuid::Uuid;

use super::{
    micros,
    query::{Conditions, Value},
};

/// A column that a condition or an order is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowColumn {
    /// A project's id.
    ProjectId,
    /// A project's name.
    ProjectName,
    /// A flow's id.
    FlowId,
    /// The id that the versions of a flow share.
    FlowGroup,
    /// A flow's name.
    FlowName,
    /// The number of a flow's version.
    FlowVersion,
    /// When a newer version replaced a flow's version.
    FlowArchived,
    /// When a flow's version was registered.
    FlowCreated,
    /// A task's id.
    TaskId,
    /// A task's name.
    TaskName,
    /// A task's slug.
    TaskSlug,
    /// The id of a flow's run.
    RunId,
    /// The name of a flow's run.
    RunName,
    /// The type of the state of a flow's run.
    RunState,
    /// When a flow's run was created.
    RunCreated,
    /// When a flow's run started.
    RunStarted,
    /// When a flow's run is due.
    RunScheduled,
    /// The id of a task's run.
    TaskRunId,
    /// The position of a mapped task's run; -1 otherwise.
    TaskRunIndex,
    /// The type of the state of a task's run.
    TaskRunState,
    /// The start time in the state of a task's run.
    TaskRunStart,
    /// When the state of a task's run was reported.
    TaskRunUpdated,
    /// The type of a former state.
    StateType,
    /// When a state was reported.
    StateTime,
    /// The time of a line of a log.
    LogTime,
}

impl FlowColumn {
    fn sql(self) -> &'static str {
        match self {
            Self::ProjectId => "p.id",
            Self::ProjectName => "p.name",
            Self::FlowId => "f.id",
            Self::FlowGroup => "f.group_id",
            Self::FlowName => "f.name",
            Self::FlowVersion => "f.version",
            Self::FlowArchived => "f.archived_at",
            Self::FlowCreated => "f.created_at",
            Self::TaskId => "k.id",
            Self::TaskName => "k.name",
            Self::TaskSlug => "k.slug",
            Self::RunId => "r.id",
            Self::RunName => "r.name",
            Self::RunState => "r.state",
            Self::RunCreated => "r.created_at",
            Self::RunStarted => "r.started_at",
            Self::RunScheduled => "r.scheduled_at",
            Self::TaskRunId => "t.id",
            Self::TaskRunIndex => "t.map_index",
            Self::TaskRunState => "t.state",
            Self::TaskRunStart => "t.start_at",
            Self::TaskRunUpdated => "t.updated_at",
            Self::StateType => "s.state",
            Self::StateTime => "s.at",
            Self::LogTime => "l.at",
        }
    }
}

/// A value that a column is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowValue {
    /// An id. A text that is no UUID equals no id.
    Id(Option<Uuid>),
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A time.
    Time(DateTime<Utc>),
}

/// How a column is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowTest {
    /// It equals the value.
    Equal(FlowValue),
    /// It has another value.
    Differs(FlowValue),
    /// It equals one of the values.
    OneOf(Vec<FlowValue>),
    /// It equals none of the values.
    NoneOf(Vec<FlowValue>),
    /// It is less than the value.
    Below(FlowValue),
    /// It is the value or less.
    AtMost(FlowValue),
    /// It is more than the value.
    Above(FlowValue),
    /// It is the value or more.
    AtLeast(FlowValue),
    /// Whether it has no value.
    IsNull(bool),
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowFilter {
    /// All of the conditions hold. None of them: always.
    All(Vec<FlowFilter>),
    /// One of the conditions holds. None of them: never.
    Any(Vec<FlowFilter>),
    /// A comparison.
    Is(FlowColumn, FlowTest),
    /// A run of a task of the flow's run meets a condition.
    HasTaskRun(Box<FlowFilter>),
}

impl Default for FlowFilter {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl FlowFilter {
    /// Returns the number of values in it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::All(filters) | Self::Any(filters) => 1 + filters.iter().map(Self::size).sum::<usize>(),
            Self::Is(_, FlowTest::OneOf(values) | FlowTest::NoneOf(values)) => 1 + values.len(),
            Self::Is(..) => 1,
            Self::HasTaskRun(filter) => 1 + filter.size(),
        }
    }

    /// Returns the text of the condition, and binds its values.
    pub(crate) fn sql(&self, conditions: &mut Conditions) -> String {
        match self {
            Self::All(filters) => joined(filters, " AND ", "1 = 1", conditions),
            Self::Any(filters) => joined(filters, " OR ", "1 = 0", conditions),
            Self::Is(column, test) => test.sql(column.sql(), conditions),
            Self::HasTaskRun(filter) => format!(
                "EXISTS (SELECT 1 FROM task_runs t JOIN flow_tasks k ON k.id = t.task_id WHERE t.flow_run_id = r.id AND {})",
                filter.sql(conditions)
            ),
        }
    }
}

fn joined(filters: &[FlowFilter], word: &str, empty: &str, conditions: &mut Conditions) -> String {
    if filters.is_empty() {
        return empty.to_owned();
    }
    let parts: Vec<_> = filters.iter().map(|filter| filter.sql(conditions)).collect();
    format!("({})", parts.join(word))
}

impl FlowTest {
    fn sql(&self, column: &str, conditions: &mut Conditions) -> String {
        let mut list = |values: &[FlowValue]| {
            let bound: Vec<_> =
                values.iter().filter_map(FlowValue::bound).map(|value| conditions.bind(value)).collect();
            bound.join(", ")
        };
        let (sign, value) = match self {
            Self::Equal(value) => ("=", value),
            Self::Differs(value) => ("<>", value),
            Self::Below(value) => ("<", value),
            Self::AtMost(value) => ("<=", value),
            Self::Above(value) => (">", value),
            Self::AtLeast(value) => (">=", value),
            Self::IsNull(is_null) => return format!("{column} IS {}NULL", if *is_null { "" } else { "NOT " }),
            Self::OneOf(values) => {
                let list = list(values);
                return if list.is_empty() { "1 = 0".to_owned() } else { format!("{column} IN ({list})") };
            }
            Self::NoneOf(values) => {
                let list = list(values);
                return if list.is_empty() { "1 = 1".to_owned() } else { format!("{column} NOT IN ({list})") };
            }
        };
        match value.bound() {
            Some(value) => format!("{column} {sign} {}", conditions.bind(value)),
            None if sign == "<>" => "1 = 1".to_owned(),
            None => "1 = 0".to_owned(),
        }
    }
}

impl FlowValue {
    fn bound(&self) -> Option<Value> {
        Some(match self {
            Self::Id(id) => Value::Id((*id)?),
            // PostgreSQL has no text with a NUL.
            Self::Text(text) if text.contains('\0') => return None,
            Self::Text(text) => Value::Text(text.clone()),
            Self::Number(number) => Value::Number(*number),
            Self::Time(at) => Value::Number(micros(*at)),
        })
    }
}

/// A sort order: columns with their directions, the most significant first.
pub type FlowOrder = [(FlowColumn, Direction)];

/// Returns `ORDER BY …`, with an id at the end, so that the order is always the same.
pub(crate) fn order_by(order: &FlowOrder, id: FlowColumn) -> String {
    let columns: Vec<_> = order
        .iter()
        .map(|(column, direction)| {
            let column = column.sql();
            // On both databases, rows without a value come last.
            let word = if *direction == Direction::Asc { "ASC" } else { "DESC" };
            format!("CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {column} {word}")
        })
        .chain([id.sql().to_owned()])
        .collect();
    format!(" ORDER BY {}", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> FlowValue {
        FlowValue::Text(text.to_owned())
    }

    #[test]
    fn conditions_are_joined_and_values_are_bound() {
        let mut conditions = Conditions::default();
        conditions.bind(Value::Number(1));
        let state = |name: &str| FlowFilter::Is(FlowColumn::RunState, FlowTest::Equal(text(name)));
        let late = FlowFilter::Is(FlowColumn::TaskRunStart, FlowTest::AtMost(FlowValue::Number(9)));
        let filter = FlowFilter::All(vec![
            FlowFilter::Is(
                FlowColumn::RunId,
                FlowTest::OneOf(vec![FlowValue::Id(Some(Uuid::nil())), FlowValue::Id(None)]),
            ),
            FlowFilter::Any(vec![
                state("Scheduled"),
                FlowFilter::All(vec![state("Running"), FlowFilter::HasTaskRun(Box::new(late))]),
            ]),
        ]);
        assert_eq!(
            filter.sql(&mut conditions),
            "(r.id IN ($2) AND (r.state = $3 OR (r.state = $4 AND EXISTS (SELECT 1 FROM task_runs t \
             JOIN flow_tasks k ON k.id = t.task_id WHERE t.flow_run_id = r.id AND t.start_at <= $5))))"
        );
        assert_eq!(conditions.values().len(), 5);
    }

    #[test]
    fn nothing_to_compare_with_is_always_or_never() {
        let sql = |filter: FlowFilter| filter.sql(&mut Conditions::default());
        let is = |test| sql(FlowFilter::Is(FlowColumn::TaskRunId, test));
        assert_eq!(
            (sql(FlowFilter::All(Vec::new())), sql(FlowFilter::Any(Vec::new()))),
            ("1 = 1".into(), "1 = 0".into())
        );
        assert_eq!(
            (is(FlowTest::OneOf(Vec::new())), is(FlowTest::NoneOf(Vec::new()))),
            ("1 = 0".into(), "1 = 1".into())
        );
        assert_eq!(is(FlowTest::Equal(FlowValue::Id(None))), "1 = 0");
        assert_eq!(is(FlowTest::Differs(FlowValue::Id(None))), "1 = 1");
        assert_eq!(is(FlowTest::Equal(text("a\0b"))), "1 = 0");
        assert_eq!(is(FlowTest::IsNull(false)), "t.id IS NOT NULL");
    }
}
