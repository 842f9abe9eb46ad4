module github.com/hitesh22rana/chronoverse

go 1.24.0
