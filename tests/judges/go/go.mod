module go-judge

go 1.26
