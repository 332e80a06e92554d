use event_log::*; use bytes::Bytes;
fn rss()->String{let s=std::fs::read_to_string("/proc/self/status").unwrap();s.lines().filter(|l|l.starts_with("VmHWM")||l.starts_with("VmRSS")).map(|l|l.split_whitespace().nth(1).unwrap().to_string()).collect::<Vec<_>>().join("/")}
fn main(){
    let group:usize=std::env::args().nth(1).unwrap().parse().unwrap();
    let total:usize=std::env::args().nth(2).unwrap().parse().unwrap();
    let dir=tempfile::tempdir_in("/work").unwrap();
    println!("start rss peak/now {}",rss());
    let (log,r)=SledLog::open(SledOptions::new(dir.path())).unwrap(); println!("{r}");
    println!("opened rss {}",rss());
    let t=std::time::Instant::now(); let mut n=0;
    while n<total { log.append((0..group).map(|_|Unit(vec![Bytes::from(rand::random::<[u8;300]>().to_vec())])).collect()).unwrap(); n+=group; }
    let e=t.elapsed();
    println!("{group}: {n} records {:.0}/s; payload {} MB disk {} MB blobs {} rss {}",n as f64/e.as_secs_f64(), n*300/1000000, log.disk_bytes().unwrap()/1000000, std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), rss());
    let t=std::time::Instant::now(); drop(log); println!("drop {:?}",t.elapsed());
    let (_l,r)=SledLog::open(SledOptions::new(dir.path())).unwrap(); println!("{r} rss {}",rss());
}
