package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
)

const (
	listed  = 60 // more than a page holds by default
	maximum = 1000
)

func checkList(s *session) error {
	var newestFirst []string
	for number := range listed {
		request := s.request(fmt.Sprintf("%d%% of_All", number))
		request.Interval = int32(number + 1)
		if number%2 == 1 {
			request.Kind, request.Payload = "docker", `{"image": "alpine"}`
		}
		id, err := s.create(request)
		if err != nil {
			return err
		}
		newestFirst = slices.Insert(newestFirst, 0, id)
	}
	newest, built := newestFirst[0], newestFirst[1]
	if _, err := s.service.TerminateWorkflow(
		s.ctx, &workflows.TerminateWorkflowRequest{Id: newest, UserId: s.user},
	); err != nil {
		return err
	}
	if _, err := s.service.UpdateWorkflowBuildStatus(
		s.ctx, &workflows.UpdateWorkflowBuildStatusRequest{Id: built, BuildStatus: "success"},
	); err != nil {
		return err
	}

	for _, filtered := range []struct {
		filters *workflows.ListWorkflowsFilters
		want    []string
	}{
		{nil, newestFirst},
		{&workflows.ListWorkflowsFilters{}, newestFirst},
		{&workflows.ListWorkflowsFilters{Query: "7% OF_"}, every(newestFirst, 10, 7)},
		{&workflows.ListWorkflowsFilters{Query: "7%of"}, nil},
		{&workflows.ListWorkflowsFilters{Kind: "docker"}, every(newestFirst, 2, 1)},
		{&workflows.ListWorkflowsFilters{BuildStatus: "success"}, []string{built}},
		{&workflows.ListWorkflowsFilters{IsTerminated: true}, []string{newest}},
		{&workflows.ListWorkflowsFilters{IntervalMin: listed}, []string{newest}},
		{&workflows.ListWorkflowsFilters{IntervalMax: listed - 1}, newestFirst[1:]},
		{&workflows.ListWorkflowsFilters{IntervalMin: listed - 2, IntervalMax: listed - 1}, newestFirst[1:3]},
		{&workflows.ListWorkflowsFilters{Kind: "docker", BuildStatus: "success"}, nil},
	} {
		found, err := s.walk(filtered.filters)
		if err != nil {
			return err
		}
		var ids []string
		for _, workflow := range found {
			ids = append(ids, workflow.GetId())
		}
		if !slices.Equal(ids, filtered.want) {
			s.fail("filters %v list %v, not %v", filtered.filters, ids, filtered.want)
		}
	}
	return s.checkListed(newest)
}

// every answers with those whose number, counted from the oldest, leaves the rest.
func every(newestFirst []string, step, rest int) []string {
	var chosen []string
	for index, id := range newestFirst {
		if (len(newestFirst)-1-index)%step == rest {
			chosen = append(chosen, id)
		}
	}
	return chosen
}

// walk answers with all pages of a list.
func (s *session) walk(filters *workflows.ListWorkflowsFilters) ([]*workflows.WorkflowsByUserIDResponse, error) {
	var found []*workflows.WorkflowsByUserIDResponse
	request := &workflows.ListWorkflowsRequest{UserId: s.user, Filters: filters}
	for {
		page, err := s.service.ListWorkflows(s.ctx, request)
		if err != nil {
			return nil, err
		}
		found = append(found, page.GetWorkflows()...)
		if request.Cursor = page.GetCursor(); request.Cursor == "" {
			return found, nil
		}
		if len(found) > maximum {
			return nil, fmt.Errorf("the list does not end")
		}
	}
}

// checkListed checks the fields of an entry, and what a cursor is bound to.
func (s *session) checkListed(newest string) error {
	page, err := s.service.ListWorkflows(s.ctx, &workflows.ListWorkflowsRequest{UserId: s.user})
	if err != nil {
		return err
	}
	entry := page.GetWorkflows()[0]
	expect(s, "id", entry.GetId(), newest)
	expect(s, "name", entry.GetName(), strconv.Itoa(listed-1)+"% of_All")
	expect(s, "payload", entry.GetPayload(), `{"image": "alpine"}`)
	expect(s, "kind", entry.GetKind(), "docker")
	expect(s, "build_status", entry.GetBuildStatus(), "pending")
	expect(s, "interval", entry.GetInterval(), listed)
	expect(s, "consecutive_job_failures_count", entry.GetConsecutiveJobFailuresCount(), 0)
	expect(s, "max_consecutive_job_failures_allowed", entry.GetMaxConsecutiveJobFailuresAllowed(), 2)
	s.expectTime("created_at", entry.GetCreatedAt())
	s.expectTime("updated_at", entry.GetUpdatedAt())
	expect(s, "log_retention", entry.GetLogRetention(), false)
	expect(s, "terminated_at", entry.GetTerminatedAt(), entry.GetUpdatedAt())

	if page.GetCursor() == "" {
		s.fail("%d workflows are one page: serve with a smaller one", listed)
	}
	filters := &workflows.ListWorkflowsFilters{Kind: "http"}
	for _, request := range []*workflows.ListWorkflowsRequest{
		{UserId: s.user, Cursor: "A" + page.GetCursor()},
		{UserId: s.user, Cursor: page.GetCursor(), Filters: filters},
		{UserId: "somebody else", Cursor: page.GetCursor()},
	} {
		_, err := s.service.ListWorkflows(s.ctx, request)
		s.expectBadFields(err, "cursor")
	}
	_, err = s.service.ListWorkflows(s.ctx, &workflows.ListWorkflowsRequest{
		UserId:  s.user,
		Filters: &workflows.ListWorkflowsFilters{Kind: "cron", IntervalMin: -1},
	})
	s.expectBadFields(err, "filters.kind", "filters.interval_min")
	return nil
}
