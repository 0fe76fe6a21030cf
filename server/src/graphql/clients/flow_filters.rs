//! The filters and sort orders of clients' queries about projects, flows and runs. Each filter offers exactly the columns
//! and comparisons that the clients use, so that any other is an error of the query.

use async_graphql::{Enum, InputObject};
use domain::Direction;
use service::{FlowColumn as Column, FlowFilter, FlowTest, FlowValue};
use uuid::Uuid;

use super::filters::{OrderBy, TextComparison, UuidComparison, UuidText};
use crate::graphql::scalars::Timestamp;

/// A condition on a number. Null conditions are ignored.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "Int_comparison_exp")]
pub(crate) struct IntComparison {
    /// Equal to this value; ignored if null.
    #[graphql(name = "_eq")]
    eq: Option<i32>,
    /// Not equal to this value; ignored if null.
    #[graphql(name = "_neq")]
    neq: Option<i32>,
}

/// A condition on a truth value. Null conditions are ignored.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "Boolean_comparison_exp")]
pub(crate) struct BooleanComparison {
    /// Equal to this value; ignored if null.
    #[graphql(name = "_eq")]
    eq: Option<bool>,
}

/// A condition on a time. Null conditions are ignored.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "timestamptz_comparison_exp")]
pub(crate) struct TimeComparison {
    /// Later than this time.
    #[graphql(name = "_gt")]
    gt: Option<Timestamp>,
    /// At this time or later.
    #[graphql(name = "_gte")]
    gte: Option<Timestamp>,
    /// Before this time.
    #[graphql(name = "_lt")]
    lt: Option<Timestamp>,
    /// At this time or before.
    #[graphql(name = "_lte")]
    lte: Option<Timestamp>,
    /// Whether the value is null.
    #[graphql(name = "_is_null")]
    is_null: Option<bool>,
}

/// The comparisons in a condition on one column.
trait Comparison {
    fn tests(&self) -> Vec<FlowTest>;
}

fn id(text: &UuidText) -> FlowValue {
    FlowValue::Id(Uuid::try_parse(text.0.trim()).ok())
}

impl Comparison for UuidComparison {
    fn tests(&self) -> Vec<FlowTest> {
        let ids = |texts: &Vec<UuidText>| texts.iter().map(id).collect();
        [
            self.eq.as_ref().map(|eq| FlowTest::Equal(id(eq))),
            self.neq.as_ref().map(|neq| FlowTest::Differs(id(neq))),
            self.within.as_ref().map(|list| FlowTest::OneOf(ids(list))),
            self.outside.as_ref().map(|list| FlowTest::NoneOf(ids(list))),
            self.is_null.map(FlowTest::IsNull),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Comparison for TextComparison {
    fn tests(&self) -> Vec<FlowTest> {
        let text = |text: &String| FlowValue::Text(text.clone());
        let texts = |list: &Vec<String>| list.iter().map(text).collect();
        [
            self.eq.as_ref().map(|eq| FlowTest::Equal(text(eq))),
            self.neq.as_ref().map(|neq| FlowTest::Differs(text(neq))),
            self.within.as_ref().map(|list| FlowTest::OneOf(texts(list))),
            self.outside.as_ref().map(|list| FlowTest::NoneOf(texts(list))),
            self.is_null.map(FlowTest::IsNull),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Comparison for IntComparison {
    fn tests(&self) -> Vec<FlowTest> {
        let number = |number: i32| FlowValue::Number(number.into());
        let eq = self.eq.map(|eq| FlowTest::Equal(number(eq)));
        eq.into_iter().chain(self.neq.map(|neq| FlowTest::Differs(number(neq)))).collect()
    }
}

impl Comparison for TimeComparison {
    fn tests(&self) -> Vec<FlowTest> {
        let time = |time: Timestamp| FlowValue::Time(time.0);
        [
            self.gt.map(|gt| FlowTest::Above(time(gt))),
            self.gte.map(|gte| FlowTest::AtLeast(time(gte))),
            self.lt.map(|lt| FlowTest::Below(time(lt))),
            self.lte.map(|lte| FlowTest::AtMost(time(lte))),
            self.is_null.map(FlowTest::IsNull),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Collects the parts of a filter, which must all hold.
#[derive(Default)]
struct Parts(Vec<FlowFilter>);

impl Parts {
    fn compare<C: Comparison>(mut self, column: Column, comparison: Option<&C>) -> Self {
        let tests = comparison.map(C::tests).unwrap_or_default();
        self.0.extend(tests.into_iter().map(|test| FlowFilter::Is(column, test)));
        self
    }

    fn join<F>(mut self, filter: Option<&F>, convert: impl Fn(&F) -> FlowFilter) -> Self {
        self.0.extend(filter.map(convert));
        self
    }

    fn groups<F>(
        mut self,
        and: Option<&Vec<F>>,
        or: Option<&Vec<F>>,
        convert: impl Fn(&F) -> FlowFilter,
    ) -> FlowFilter {
        self.0.extend(and.into_iter().flatten().map(&convert));
        self.0.extend(or.map(|any| FlowFilter::Any(any.iter().map(&convert).collect())));
        FlowFilter::All(self.0)
    }
}

/// A filter for projects.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "project_bool_exp", rename_fields = "snake_case")]
pub(crate) struct ProjectFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the name.
    name: Option<TextComparison>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<ProjectFilter>>,
    /// Filters of which at least one must match.
    #[graphql(name = "_or")]
    or: Option<Vec<ProjectFilter>>,
}

impl ProjectFilter {
    pub(super) fn filter(&self) -> FlowFilter {
        Parts::default()
            .compare(Column::ProjectId, self.id.as_ref())
            .compare(Column::ProjectName, self.name.as_ref())
            .groups(self.and.as_ref(), self.or.as_ref(), Self::filter)
    }
}

/// A filter for flows.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "flow_bool_exp", rename_fields = "snake_case")]
pub(crate) struct FlowWhere {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the name.
    name: Option<TextComparison>,
    /// A condition on the version.
    version: Option<IntComparison>,
    /// A condition on the id that the versions of a flow share.
    flow_group_id: Option<UuidComparison>,
    /// Whether a newer version replaced it.
    archived: Option<BooleanComparison>,
    /// A filter for the project.
    project: Option<ProjectFilter>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<FlowWhere>>,
    /// Filters of which at least one must match.
    #[graphql(name = "_or")]
    or: Option<Vec<FlowWhere>>,
}

impl FlowWhere {
    pub(super) fn filter(&self) -> FlowFilter {
        let archived = self.archived.as_ref().and_then(|archived| archived.eq);
        Parts::default()
            .compare(Column::FlowId, self.id.as_ref())
            .compare(Column::FlowName, self.name.as_ref())
            .compare(Column::FlowVersion, self.version.as_ref())
            .compare(Column::FlowGroup, self.flow_group_id.as_ref())
            .join(archived.as_ref(), |archived| FlowFilter::Is(Column::FlowArchived, FlowTest::IsNull(!archived)))
            .join(self.project.as_ref(), ProjectFilter::filter)
            .groups(self.and.as_ref(), self.or.as_ref(), Self::filter)
    }
}

/// A filter for tasks.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "task_bool_exp", rename_fields = "snake_case")]
pub(crate) struct TaskFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the name.
    name: Option<TextComparison>,
    /// A condition on the slug.
    slug: Option<TextComparison>,
    /// A filter for the flow.
    flow: Option<FlowWhere>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<TaskFilter>>,
    /// Filters of which at least one must match.
    #[graphql(name = "_or")]
    or: Option<Vec<TaskFilter>>,
}

impl TaskFilter {
    pub(super) fn filter(&self) -> FlowFilter {
        Parts::default()
            .compare(Column::TaskId, self.id.as_ref())
            .compare(Column::TaskName, self.name.as_ref())
            .compare(Column::TaskSlug, self.slug.as_ref())
            .join(self.flow.as_ref(), FlowWhere::filter)
            .groups(self.and.as_ref(), self.or.as_ref(), Self::filter)
    }
}

/// A filter for runs of flows.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "flow_run_bool_exp", rename_fields = "snake_case")]
pub(crate) struct FlowRunFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the name.
    name: Option<TextComparison>,
    /// A condition on the type of the state.
    state: Option<TextComparison>,
    /// A condition on when it started.
    start_time: Option<TimeComparison>,
    /// A condition on when it is due.
    scheduled_start_time: Option<TimeComparison>,
    /// A filter for the flow.
    flow: Option<FlowWhere>,
    /// A filter that at least one run of a task must match.
    task_runs: Option<TaskRunFilter>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<FlowRunFilter>>,
    /// Filters of which at least one must match.
    #[graphql(name = "_or")]
    or: Option<Vec<FlowRunFilter>>,
}

impl FlowRunFilter {
    pub(super) fn filter(&self) -> FlowFilter {
        Parts::default()
            .compare(Column::RunId, self.id.as_ref())
            .compare(Column::RunName, self.name.as_ref())
            .compare(Column::RunState, self.state.as_ref())
            .compare(Column::RunStarted, self.start_time.as_ref())
            .compare(Column::RunScheduled, self.scheduled_start_time.as_ref())
            .join(self.flow.as_ref(), FlowWhere::filter)
            .join(self.task_runs.as_ref(), |runs| FlowFilter::HasTaskRun(Box::new(runs.filter())))
            .groups(self.and.as_ref(), self.or.as_ref(), Self::filter)
    }
}

/// A filter for the flow's run that a task's run belongs to.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "flow_run_of_task_bool_exp", rename_fields = "snake_case")]
pub(crate) struct RunOfTaskFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the type of the state.
    state: Option<TextComparison>,
}

impl RunOfTaskFilter {
    fn filter(&self) -> FlowFilter {
        let parts =
            Parts::default().compare(Column::RunId, self.id.as_ref()).compare(Column::RunState, self.state.as_ref());
        FlowFilter::All(parts.0)
    }
}

/// A filter for runs of tasks.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "task_run_bool_exp", rename_fields = "snake_case")]
pub(crate) struct TaskRunFilter {
    /// A condition on the id.
    id: Option<UuidComparison>,
    /// A condition on the id of the flow's run.
    flow_run_id: Option<UuidComparison>,
    /// A condition on the id of the task.
    task_id: Option<UuidComparison>,
    /// A condition on the position of a mapped task's run; -1 if it isn't mapped.
    map_index: Option<IntComparison>,
    /// A condition on the type of the state.
    state: Option<TextComparison>,
    /// A condition on the start time in the state.
    state_start_time: Option<TimeComparison>,
    /// A condition on when the state was reported.
    state_timestamp: Option<TimeComparison>,
    /// A filter for the task.
    task: Option<TaskFilter>,
    /// A filter for the flow's run.
    flow_run: Option<RunOfTaskFilter>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<TaskRunFilter>>,
    /// Filters of which at least one must match.
    #[graphql(name = "_or")]
    or: Option<Vec<TaskRunFilter>>,
}

impl TaskRunFilter {
    pub(super) fn filter(&self) -> FlowFilter {
        Parts::default()
            .compare(Column::TaskRunId, self.id.as_ref())
            .compare(Column::RunId, self.flow_run_id.as_ref())
            .compare(Column::TaskId, self.task_id.as_ref())
            .compare(Column::TaskRunIndex, self.map_index.as_ref())
            .compare(Column::TaskRunState, self.state.as_ref())
            .compare(Column::TaskRunStart, self.state_start_time.as_ref())
            .compare(Column::TaskRunUpdated, self.state_timestamp.as_ref())
            .join(self.task.as_ref(), TaskFilter::filter)
            .join(self.flow_run.as_ref(), RunOfTaskFilter::filter)
            .groups(self.and.as_ref(), self.or.as_ref(), Self::filter)
    }
}

/// A filter for the states of a run.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "flow_run_state_bool_exp", rename_fields = "snake_case")]
pub(crate) struct StateFilter {
    /// A condition on the type of the state.
    state: Option<TextComparison>,
    /// A condition on when it was reported.
    timestamp: Option<TimeComparison>,
}

impl StateFilter {
    pub(super) fn filter(&self) -> FlowFilter {
        let parts = Parts::default()
            .compare(Column::StateType, self.state.as_ref())
            .compare(Column::StateTime, self.timestamp.as_ref());
        FlowFilter::All(parts.0)
    }
}

/// A filter for lines of a log.
#[derive(Clone, Debug, Default, InputObject)]
#[graphql(name = "log_bool_exp", rename_fields = "snake_case")]
pub(crate) struct LogFilter {
    /// A condition on the time.
    timestamp: Option<TimeComparison>,
    /// Filters that must all match.
    #[graphql(name = "_and")]
    and: Option<Vec<LogFilter>>,
}

impl LogFilter {
    pub(super) fn filter(&self) -> FlowFilter {
        Parts::default().compare(Column::LogTime, self.timestamp.as_ref()).groups(self.and.as_ref(), None, Self::filter)
    }
}

/// A sort order with the columns and directions that it gives.
pub(super) trait Order {
    fn columns(&self) -> Vec<(Column, Option<OrderBy>)>;
}

/// Returns the columns of sort orders, with their directions.
pub(super) fn order_of<O: Order>(orders: Option<&[O]>) -> Vec<(Column, Direction)> {
    let direction = |order| match order {
        OrderBy::Asc => Direction::Asc,
        OrderBy::Desc => Direction::Desc,
    };
    let columns = orders.into_iter().flatten().flat_map(O::columns);
    columns.filter_map(|(column, order)| Some((column, direction(order?)))).collect()
}

macro_rules! orders {
    ($($(#[$doc:meta])* $name:ident = $graphql:literal { $($(#[$field_doc:meta])* $field:ident => $column:ident,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, InputObject)]
        #[graphql(name = $graphql, rename_fields = "snake_case")]
        pub(crate) struct $name {
            $($(#[$field_doc])* $field: Option<OrderBy>,)+
        }

        impl Order for $name {
            fn columns(&self) -> Vec<(Column, Option<OrderBy>)> {
                vec![$((Column::$column, self.$field)),+]
            }
        }
    )+};
}

orders! {
    /// A sort order for projects.
    ProjectOrder = "project_order_by" {
        /// Sorts by name.
        name => ProjectName,
    }
    /// A sort order for flows.
    FlowOrder = "flow_order_by" {
        /// Sorts by name.
        name => FlowName,
        /// Sorts by version.
        version => FlowVersion,
        /// Sorts by when it was registered.
        created => FlowCreated,
    }
    /// A sort order for tasks.
    TaskOrder = "task_order_by" {
        /// Sorts by when the flow was registered.
        created => FlowCreated,
        /// Sorts by name.
        name => TaskName,
    }
    /// A sort order for runs of flows.
    FlowRunOrder = "flow_run_order_by" {
        /// Sorts by when it started.
        start_time => RunStarted,
        /// Sorts by when it was created.
        created => RunCreated,
        /// Sorts by when it is due.
        scheduled_start_time => RunScheduled,
    }
    /// A sort order for runs of tasks.
    TaskRunOrder = "task_run_order_by" {
        /// Sorts by position.
        map_index => TaskRunIndex,
        /// Sorts by when the state was reported.
        state_timestamp => TaskRunUpdated,
        /// Sorts by the start time in the state.
        state_start_time => TaskRunStart,
    }
    /// A sort order for lines of a log.
    LogOrder = "log_order_by" {
        /// Sorts by time.
        timestamp => LogTime,
    }
    /// A sort order for states of a run.
    StateOrder = "flow_run_state_order_by" {
        /// Sorts by when it was reported.
        timestamp => StateTime,
    }
}

/// Whether orders of a log or of states begin with the newest.
pub(super) fn newest_first<O: Order>(orders: Option<&[O]>) -> bool {
    order_of(orders).first().is_some_and(|(_, direction)| *direction == Direction::Desc)
}

/// The column by which equal flows are shown once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "flow_select_column", rename_items = "lowercase")]
pub(crate) enum FlowColumnName {
    /// The name.
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(eq: &str) -> TextComparison {
        TextComparison { eq: Some(eq.to_owned()), ..TextComparison::default() }
    }

    #[test]
    fn a_null_condition_is_ignored() {
        let filter = FlowWhere {
            name: Some(text("f")),
            version: Some(IntComparison::default()),
            project: Some(ProjectFilter { name: Some(TextComparison::default()), ..ProjectFilter::default() }),
            ..FlowWhere::default()
        };
        let expected = FlowFilter::All(vec![
            FlowFilter::Is(Column::FlowName, FlowTest::Equal(FlowValue::Text("f".to_owned()))),
            FlowFilter::All(Vec::new()),
        ]);
        assert_eq!(filter.filter(), expected);
    }

    #[test]
    fn either_of_two_states_with_a_join() {
        let late = TaskRunFilter {
            state_start_time: Some(TimeComparison { is_null: Some(false), ..TimeComparison::default() }),
            ..TaskRunFilter::default()
        };
        let filter = FlowRunFilter {
            or: Some(vec![
                FlowRunFilter { state: Some(text("Scheduled")), ..FlowRunFilter::default() },
                FlowRunFilter { task_runs: Some(late), ..FlowRunFilter::default() },
            ]),
            ..FlowRunFilter::default()
        };
        let FlowFilter::All(parts) = filter.filter() else { panic!("not a conjunction") };
        let [FlowFilter::Any(any)] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!(any.len(), 2);
        let has = |filter: &FlowFilter| matches!(filter, FlowFilter::All(all) if matches!(all.as_slice(), [FlowFilter::HasTaskRun(_)]));
        assert!(has(&any[1]), "{any:?}");
    }

    #[test]
    fn a_malformed_id_equals_none() {
        let id = UuidComparison { eq: Some(UuidText("x".to_owned())), ..UuidComparison::default() };
        assert_eq!(id.tests(), [FlowTest::Equal(FlowValue::Id(None))]);
    }

    #[test]
    fn whether_a_flow_is_archived_is_whether_it_has_a_time() {
        let archived = |eq| FlowWhere { archived: Some(BooleanComparison { eq }), ..FlowWhere::default() }.filter();
        let is = |null| FlowFilter::All(vec![FlowFilter::Is(Column::FlowArchived, FlowTest::IsNull(null))]);
        assert_eq!((archived(Some(false)), archived(Some(true))), (is(true), is(false)));
        assert_eq!(archived(None), FlowFilter::All(Vec::new()));
    }
}
