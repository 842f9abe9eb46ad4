package main

import (
	"context"
	"fmt"
	"log"

	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	options := append(workflows.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	connection, err := grpc.NewClient("127.0.0.1:50052", options...)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	service := workflows.NewWorkflowsServiceClient(connection)
	report := &workflows.CreateWorkflowRequest{UserId: "alice", Kind: "script", Payload: "{}", Interval: 1440, MaxConsecutiveJobFailuresAllowed: 3}
	for number := range 300 {
		report.Name = fmt.Sprintf("Report %d", number)
		report.IdempotencyKey = report.Name
		created, err := service.CreateWorkflow(context.Background(), report)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(created.Id)
	}
}
