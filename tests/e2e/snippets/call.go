package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	connection, err := grpc.NewClient("127.0.0.1:50052", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	service := workflows.NewWorkflowsServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	created, err := service.CreateWorkflow(ctx, &workflows.CreateWorkflowRequest{
		UserId:                           "alice",
		Name:                             "Nightly report",
		Payload:                          `{"url": "https://example.org/report"}`,
		Kind:                             "http",
		Interval:                         1440,
		MaxConsecutiveJobFailuresAllowed: 3,
		IdempotencyKey:                   "nightly-report-1",
	})
	if err != nil {
		log.Fatal(err)
	}
	workflow, err := service.GetWorkflow(ctx, &workflows.GetWorkflowRequest{Id: created.Id, UserId: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(workflow.Id, workflow.Name, workflow.BuildStatus)
}
