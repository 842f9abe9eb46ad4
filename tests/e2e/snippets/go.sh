make go-stubs
mkdir -p go-example
cd go-example
test -f go.mod || go mod init example.com/call
go mod edit -replace github.com/hitesh22rana/chronoverse=../go-stubs
go mod tidy
go run .
