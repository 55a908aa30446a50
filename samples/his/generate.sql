-- Fills the reference HIS with patients and one morning of a busy day, with unpaid orders left over.
--
--     psql -X -d his -f generate.sql                                   # 200,000 patients, 7,300 visits
--     psql -X -d his -v patients=500 -v visits=40 -f generate.sql      # for tests
--     psql -X -d his -v day="$(date +%F)" -f generate.sql              # another day than the fixed one
--
-- The same variables always give the same rows: every choice is a hash of a row number, no clock and no random().
-- Run it once, on a database fresh from schema.sql, as the tables' owner.

\set ON_ERROR_STOP 1
\if :{?patients} \else \set patients 200000 \endif
\if :{?visits} \else \set visits 7300 \endif
\if :{?day} \else \set day 2026-03-02 \endif

SET client_encoding = 'UTF8';
SET client_min_messages = warning;
SET timezone = 'Asia/Shanghai';
SET DateStyle = 'ISO, YMD';

BEGIN;
SET LOCAL work_mem = '128MB';
SET LOCAL synchronous_commit = off;

SELECT EXISTS (SELECT FROM outpatient.patient) OR EXISTS (SELECT FROM base.department) AS filled,
       :patients < 1 OR :visits < 0 AS too_small \gset
\if :filled
DO $$ BEGIN RAISE EXCEPTION 'this database already holds data; generate into one that is fresh from schema.sql'; END $$;
\endif
\if :too_small
DO $$ BEGIN RAISE EXCEPTION 'patients must be at least 1, visits at least 0'; END $$;
\endif

-- The rows below are complete in themselves (record numbers, stock movements), so the HIS's own triggers would only
-- do it all again, slowly. Foreign keys and checks stay on.
ALTER TABLE outpatient.patient DISABLE TRIGGER USER;
ALTER TABLE outpatient.registration DISABLE TRIGGER USER;

-- Choice number `salt` of row `n`, from 0 to `sides` - 1. The hash is the one of hash partitioning, which
-- PostgreSQL keeps the same from version to version.
CREATE FUNCTION pg_temp.pick(n bigint, salt integer, sides integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ((hashint8extended(n, salt) & 2147483647) % sides)::integer $$;


-- ---------------------------------------------------------------------------------------------------------------
-- Dictionaries: the same for every size
-- ---------------------------------------------------------------------------------------------------------------

INSERT INTO base.department (id, code, name, name_phonetic, kind, location) VALUES
  (101,'NK01','心血管内科','XXGNK','clinical','门诊楼 2 层 A 区'),
  (102,'NK02','呼吸内科','HXNK','clinical','门诊楼 2 层 A 区'),
  (103,'NK03','消化内科','XHNK','clinical','门诊楼 2 层 B 区'),
  (104,'NK04','神经内科','SJNK','clinical','门诊楼 2 层 B 区'),
  (105,'NK05','内分泌科','NFMK','clinical','门诊楼 2 层 C 区'),
  (106,'NK06','肾内科','SNK','clinical','门诊楼 2 层 C 区'),
  (107,'NK07','血液内科','XYNK','clinical','门诊楼 2 层 D 区'),
  (108,'NK08','风湿免疫科','FSMYK','clinical','门诊楼 2 层 D 区'),
  (109,'WK01','普通外科','PTWK','clinical','门诊楼 3 层 A 区'),
  (110,'WK02','骨科','GK','clinical','门诊楼 3 层 A 区'),
  (111,'WK03','泌尿外科','MNWK','clinical','门诊楼 3 层 B 区'),
  (112,'WK04','神经外科','SJWK','clinical','门诊楼 3 层 B 区'),
  (113,'WK05','胸外科','XWK','clinical','门诊楼 3 层 C 区'),
  (114,'FK01','妇科','FK','clinical','门诊楼 4 层 A 区'),
  (115,'CK01','产科','CK','clinical','门诊楼 4 层 A 区'),
  (116,'EK01','儿科','EK','clinical','门诊楼 1 层 C 区'),
  (117,'YK01','眼科','YK','clinical','门诊楼 4 层 B 区'),
  (118,'EB01','耳鼻咽喉科','EBYHK','clinical','门诊楼 4 层 B 区'),
  (119,'KQ01','口腔科','KQK','clinical','门诊楼 4 层 C 区'),
  (120,'PF01','皮肤科','PFK','clinical','门诊楼 4 层 C 区'),
  (121,'ZY01','中医科','ZYK','clinical','门诊楼 5 层 A 区'),
  (122,'KF01','康复医学科','KFYXK','clinical','门诊楼 5 层 A 区'),
  (123,'ZL01','肿瘤科','ZLK','clinical','门诊楼 5 层 B 区'),
  (190,'JZ01','急诊科','JZK','clinical','急诊楼 1 层'),
  (201,'JY01','检验科','JYK','technical','医技楼 1 层'),
  (202,'FS01','放射科','FSK','technical','医技楼 1 层'),
  (203,'CS01','超声科','CSK','technical','医技楼 2 层'),
  (204,'XD01','心电图室','XDTS','technical','医技楼 2 层'),
  (205,'ZL02','治疗室','ZLS','technical','门诊楼 1 层'),
  (301,'YF01','门诊西药房','MZXYF','pharmacy','门诊楼 1 层'),
  (302,'YF02','门诊中药房','MZZYF','pharmacy','门诊楼 1 层'),
  (401,'SF01','挂号收费处','GHSFC','office','门诊楼 1 层大厅'),
  (402,'CW01','财务科','CWK','office','行政楼 3 层');

-- One name pool for staff and patients. The last given names lie beyond the basic plane (four bytes in UTF-8).
CREATE TEMPORARY TABLE surname ON COMMIT DROP AS
SELECT (n - 1)::integer AS n, name, code
  FROM unnest(
    string_to_array('王,李,张,刘,陈,杨,黄,赵,吴,周,徐,孙,马,朱,胡,郭,何,林,高,罗,郑,梁,谢,宋,唐,许,邓,韩,冯,曹,彭,曾,萧,田,董,袁,潘,于,蒋,蔡,余,杜,叶,程,苏,魏,吕,丁,任,沈,姚,卢,姜,崔,钟,谭,陆,汪,范,金,石,廖,贾,夏,韦,付,方,白,邹,孟,熊,秦,邱,江,尹,薛,闫,段,雷,侯,龙,史,陶,黎,贺,顾,毛,郝,龚,邵,万,钱,严,覃,武,戴,莫,孔,向,汤,欧阳,司马,诸葛,上官,尉迟,夏侯', ','),
    string_to_array('W,L,Z,L,C,Y,H,Z,W,Z,X,S,M,Z,H,G,H,L,G,L,Z,L,X,S,T,X,D,H,F,C,P,Z,X,T,D,Y,P,Y,J,C,Y,D,Y,C,S,W,L,D,R,S,Y,L,J,C,Z,T,L,W,F,J,S,L,J,X,W,F,F,B,Z,M,X,Q,Q,J,Y,X,Y,D,L,H,L,S,T,L,H,G,M,H,G,S,W,Q,Y,Q,W,D,M,K,X,T,OY,SM,ZG,SG,YC,XH', ',')
  ) WITH ORDINALITY AS u(name, code, n);

CREATE TEMPORARY TABLE given ON COMMIT DROP AS
SELECT (n - 1)::integer AS n, name, code
  FROM unnest(
    string_to_array('伟,芳,娜,敏,静,丽,强,磊,军,洋,勇,艳,杰,涛,明,超,秀,霞,平,刚,桂,英,华,玉,兰,红,梅,建,国,志,文,斌,辉,鑫,宇,浩,然,子,轩,涵,梓,雨,欣,怡,佳,琪,思,博,俊,晨,阳,雪,婷,倩,颖,琳,燕,萍,慧,莉,淑,珍,凤,春,海,波,峰,龙,飞,鹏,亮,凯,旭,东,林,森,松,柏,荣,富,贵,安,康,宁,福,生,德,义,仁,信,诚,立,新,永,长,天,云,月,晓,小,大,一,𬭎,𬀩', ','),
    string_to_array('W,F,N,M,J,L,Q,L,J,Y,Y,Y,J,T,M,C,X,X,P,G,G,Y,H,Y,L,H,M,J,G,Z,W,B,H,X,Y,H,R,Z,X,H,Z,Y,X,Y,J,Q,S,B,J,C,Y,X,T,Q,Y,L,Y,P,H,L,S,Z,F,C,H,B,F,L,F,P,L,K,X,D,L,S,S,B,R,F,G,A,K,N,F,S,D,Y,R,X,C,L,X,Y,C,T,Y,Y,X,X,D,Y,H,W', ',')
  ) WITH ORDINALITY AS u(name, code, n);

SELECT (SELECT count(*) FROM surname) AS surnames, (SELECT count(*) FROM given) AS givens \gset

-- Per clinical department ten doctors; at the hall 30 cashiers and 10 registrars; 12 pharmacists; 2 in finance.
INSERT INTO base.staff (id, staff_no, name, name_phonetic, role, title, department_id)
SELECT w.id, 'S' || to_char(w.id, 'FM00000'), s.name || g.name || h.name, s.code || g.code || h.code,
       w.role, w.title, w.department_id
  FROM (
    SELECT 1000 + (dense_rank() OVER (ORDER BY d.id) - 1) * 10 + k AS id, 'doctor'::base.staff_role AS role,
           (ARRAY['主任医师','副主任医师','副主任医师','主治医师','主治医师','主治医师','主治医师','住院医师','住院医师','住院医师'])[k] AS title,
           d.id AS department_id
      FROM base.department AS d CROSS JOIN generate_series(1, 10) AS k WHERE d.kind = 'clinical'
    UNION ALL SELECT 2000 + k, 'cashier', '收费员', 401 FROM generate_series(1, 30) AS k
    UNION ALL SELECT 2100 + k, 'registrar', '挂号员', 401 FROM generate_series(1, 10) AS k
    UNION ALL SELECT 2200 + k, 'pharmacist', '药师', 301 + k % 2 FROM generate_series(1, 12) AS k
    UNION ALL SELECT 2300 + k, 'finance', '会计师', 402 FROM generate_series(1, 2) AS k
  ) AS w
  JOIN surname AS s ON s.n = pg_temp.pick(w.id, 1, :surnames)
  JOIN given AS g ON g.n = pg_temp.pick(w.id, 2, 80)
  JOIN given AS h ON h.n = pg_temp.pick(w.id, 3, 80);

-- At his-desk everybody's secret is made up like everything here; finance and the registrars approve.
INSERT INTO desk.secret (staff_id, salt, verifier, may_approve)
SELECT id, staff_no, encode(sha256(convert_to(staff_no || ':demo-' || staff_no, 'UTF8')), 'hex'), role IN ('finance', 'registrar')
  FROM base.staff WHERE role <> 'doctor';

INSERT INTO base.settlement_category (id, code, name, is_insured, discount_rate) VALUES
  (1, 'SELF', '自费', false, 0),
  (2, 'STAFF', '职工医保', true, 0),
  (3, 'RESIDENT', '居民医保', true, 0),
  (4, 'PUBLIC', '公费医疗', false, 0),
  (5, 'VETERAN', '优抚对象', false, 0.200);

INSERT INTO base.pay_method (code, name, needs_network) VALUES
  ('CASH', '现金', false), ('BANK', '银行卡', true), ('WECHAT', '微信', true), ('ALIPAY', '支付宝', true),
  ('CARD', '就诊卡', false), ('CREDIT', '记账', false), ('INSURANCE', '医保基金', true);

-- Registration and consultation
INSERT INTO base.charge_item (id, code, national_code, name, name_phonetic, class, unit, receipt_class, reimbursement_class, department_id)
VALUES
  (1,'GH001','001101000010000','普通门诊挂号费','PTMZGHF','registration','次','挂号费','C',NULL),
  (2,'GH002','001101000020000','急诊挂号费','JZGHF','registration','次','挂号费','C',NULL),
  (3,'ZC001','001102000010000','普通门诊诊查费','PTMZZCF','registration','次','诊查费','A',NULL),
  (4,'ZC002','001102000020100','副主任医师诊查费','FZRYSZCF','registration','次','诊查费','A',NULL),
  (5,'ZC003','001102000020200','主任医师诊查费','ZRYSZCF','registration','次','诊查费','B',NULL),
  (6,'ZC004','001102000030000','急诊诊查费','JZZCF','registration','次','诊查费','A',NULL);

-- Laboratory, examination, treatment
INSERT INTO base.charge_item (id, code, national_code, name, name_phonetic, class, unit, receipt_class, reimbursement_class, department_id)
SELECT 100 + n, upper(left(class, 2)) || to_char(n, 'FM000'), '0025' || lpad((100 + n)::text, 11, '0'), name, code, class,
       CASE class WHEN 'exam' THEN '部位' WHEN 'lab' THEN '项' ELSE '次' END,
       CASE class WHEN 'exam' THEN '检查费' WHEN 'lab' THEN '化验费' ELSE '治疗费' END,
       (ARRAY['A','A','B','C'])[1 + pg_temp.pick(n, 4, 4)], dept
  FROM (VALUES
    (1,'血常规(五分类)','XCG','lab',201), (2,'尿常规','NCG','lab',201), (3,'大便常规','DBCG','lab',201),
    (4,'肝功能','GGN','lab',201), (5,'肾功能','SGN','lab',201), (6,'血脂四项','XZSX','lab',201),
    (7,'空腹血糖','KFXT','lab',201), (8,'糖化血红蛋白','THXHDB','lab',201), (9,'电解质','DJZ','lab',201),
    (10,'凝血四项','NXSX','lab',201), (11,'心肌酶谱','XJMP','lab',201), (12,'C反应蛋白','CFYDB','lab',201),
    (13,'甲状腺功能五项','JZXGN','lab',201), (14,'乙肝五项','YGWX','lab',201), (15,'肿瘤标志物','ZLBZW','lab',201),
    (16,'流感病毒抗原','LGBDKY','lab',201),
    (17,'胸部正位片','XBZWP','exam',202), (18,'胸部CT平扫','XBCT','exam',202), (19,'头颅CT平扫','TLCT','exam',202),
    (20,'头颅磁共振平扫','TLCGZ','exam',202), (21,'腹部彩超','FBCC','exam',203), (22,'心脏彩超','XZCC','exam',203),
    (23,'甲状腺彩超','JZXCC','exam',203), (24,'妇科彩超','FKCC','exam',203), (25,'常规心电图','CGXDT','exam',204),
    (26,'动态心电图','DTXDT','exam',204), (27,'腰椎正侧位片','YZZCWP','exam',202), (28,'膝关节磁共振','XGJCGZ','exam',202),
    (29,'静脉输液','JMSY','treatment',205), (30,'肌肉注射','JRZS','treatment',205), (31,'换药(中)','HYZ','treatment',205),
    (32,'清创缝合(小)','QCFHX','treatment',205), (33,'雾化吸入','WHXR','treatment',205), (34,'针灸治疗','ZJZL','treatment',205),
    (35,'推拿治疗','TNZL','treatment',205), (36,'低频脉冲电治疗','DPMCD','treatment',205), (37,'石膏固定','SGGD','treatment',205),
    (38,'皮试','PS','treatment',205)
  ) AS v(n, name, code, class, dept);

-- 48 drugs of three makers each: ids 1001 to 1144
INSERT INTO base.charge_item (id, code, national_code, name, name_phonetic, class, spec, unit, receipt_class, reimbursement_class, department_id)
SELECT 1000 + (n - 1) * 3 + m, 'YP' || to_char(1000 + (n - 1) * 3 + m, 'FM0000'), '86' || lpad((900000 + (n - 1) * 3 + m)::text, 12, '0'),
       name, code, 'drug', spec, unit, CASE WHEN dept = 302 THEN '中成药费' ELSE '西药费' END,
       (ARRAY['A','A','B','B','C'])[1 + pg_temp.pick(n, 5, 5)], dept
  FROM (VALUES
    (1,'阿莫西林胶囊','AMXLJN','0.25g*24粒','盒',301), (2,'头孢克肟分散片','TBKWFSP','0.1g*6片','盒',301),
    (3,'头孢呋辛酯片','TBFXZP','0.25g*12片','盒',301), (4,'阿奇霉素片','AQMSP','0.25g*6片','盒',301),
    (5,'左氧氟沙星片','ZYFSXP','0.5g*4片','盒',301), (6,'甲硝唑片','JXZP','0.2g*100片','瓶',301),
    (7,'布洛芬缓释胶囊','BLFHSJN','0.3g*20粒','盒',301), (8,'对乙酰氨基酚片','DYXAJFP','0.5g*20片','盒',301),
    (9,'双氯芬酸钠肠溶片','SLFSNCRP','25mg*24片','盒',301), (10,'奥美拉唑肠溶胶囊','AMLZCRJN','20mg*14粒','盒',301),
    (11,'雷贝拉唑钠肠溶片','LBLZNCRP','10mg*14片','盒',301), (12,'多潘立酮片','DPLTP','10mg*30片','盒',301),
    (13,'铝碳酸镁咀嚼片','LTSMJJP','0.5g*20片','盒',301), (14,'蒙脱石散','MTSS','3g*10袋','盒',301),
    (15,'双歧杆菌三联活菌胶囊','SQGJJN','210mg*24粒','盒',301), (16,'硝苯地平控释片','XBDPKSP','30mg*7片','盒',301),
    (17,'氨氯地平片','ALDPP','5mg*28片','盒',301), (18,'厄贝沙坦片','EBSTP','0.15g*14片','盒',301),
    (19,'缬沙坦胶囊','XSTJN','80mg*14粒','盒',301), (20,'美托洛尔缓释片','MTLEHSP','47.5mg*28片','盒',301),
    (21,'阿托伐他汀钙片','ATFTTGP','20mg*7片','盒',301), (22,'瑞舒伐他汀钙片','RSFTTGP','10mg*14片','盒',301),
    (23,'阿司匹林肠溶片','ASPLCRP','100mg*30片','盒',301), (24,'氯吡格雷片','LBGLP','75mg*7片','盒',301),
    (25,'二甲双胍片','EJSGP','0.5g*60片','瓶',301), (26,'格列美脲片','GLMNP','2mg*30片','盒',301),
    (27,'阿卡波糖片','AKBTP','50mg*30片','盒',301), (28,'左甲状腺素钠片','ZJZXSNP','50ug*100片','盒',301),
    (29,'孟鲁司特钠片','MLSTNP','10mg*5片','盒',301), (30,'氯雷他定片','LLTDP','10mg*6片','盒',301),
    (31,'沙丁胺醇气雾剂','SDACQWJ','100ug*200揿','支',301), (32,'布地奈德混悬液','BDNDHXY','1mg*5支','盒',301),
    (33,'氨溴索口服液','AXSKFY','100ml','瓶',301), (34,'右美沙芬糖浆','YMSFTJ','100ml','瓶',301),
    (35,'0.9%氯化钠注射液','LHNZSY','250ml','袋',301), (36,'5%葡萄糖注射液','PTTZSY','250ml','袋',301),
    (37,'维生素C注射液','WSSCZSY','0.5g','支',301), (38,'地塞米松注射液','DSMSZSY','5mg','支',301),
    (39,'莫匹罗星软膏','MPLXRG','10g','支',301), (40,'左氧氟沙星滴眼液','ZYFSXDYY','5ml','支',301),
    (41,'连花清瘟胶囊','LHQWJN','0.35g*24粒','盒',302), (42,'板蓝根颗粒','BLGKL','10g*20袋','袋',302),
    (43,'复方丹参滴丸','FFDSDW','27mg*180丸','瓶',302), (44,'速效救心丸','SXJXW','40mg*60粒','瓶',302),
    (45,'六味地黄丸','LWDHW','200丸','瓶',302), (46,'藿香正气口服液','HXZQKFY','10ml*10支','盒',302),
    (47,'蓝芩口服液','LQKFY','10ml*6支','盒',302), (48,'云南白药气雾剂','YNBYQWJ','85g','盒',302)
  ) AS v(n, name, code, spec, unit, dept)
  CROSS JOIN generate_series(1, 3) AS m;

INSERT INTO base.drug (item_id, dose_form, manufacturer, package_unit, package_split, split_unit, is_controlled)
SELECT id,
       CASE WHEN name LIKE '%胶囊' THEN '胶囊剂' WHEN name LIKE '%片' THEN '片剂' WHEN name LIKE '%注射液' THEN '注射剂'
            WHEN name LIKE '%口服液' OR name LIKE '%糖浆' THEN '口服液体剂' WHEN name LIKE '%丸' THEN '丸剂' ELSE '其他' END,
       (ARRAY['示例制药一厂','示例制药二厂','示例药业有限公司'])[1 + (id - 1001) % 3],
       unit, (ARRAY[1, 6, 12, 24, 30])[1 + pg_temp.pick(id, 6, 5)],
       CASE WHEN name LIKE '%片' THEN '片' WHEN name LIKE '%胶囊' THEN '粒' ELSE unit END, false
  FROM base.charge_item WHERE class = 'drug';

-- Prices with four decimals (split packages end in such); until the start of last year there were others.
INSERT INTO base.charge_price (item_id, valid_from, valid_to, price, document)
SELECT i.id, p.valid_from, p.valid_to, round(p.factor * CASE
         WHEN i.id <= 6 THEN (ARRAY[1.00, 2.00, 9.00, 15.00, 25.00, 12.00])[i.id]
         WHEN i.class = 'drug' THEN 1.5 + pg_temp.pick(i.id, 7, 900000) / 10000.0
         WHEN i.class = 'exam' THEN 20 + pg_temp.pick(i.id, 7, 600)
         WHEN i.class = 'lab' THEN 5 + pg_temp.pick(i.id, 7, 140)
         ELSE 3 + pg_temp.pick(i.id, 7, 800) / 10.0 END, CASE WHEN i.class = 'drug' THEN 4 ELSE 2 END),
       p.document
  FROM base.charge_item AS i
  CROSS JOIN (VALUES (date '2020-01-01', date_trunc('year', date :'day' - interval '1 year')::date, 1.1, '价字〔2020〕1号'),
                     (date_trunc('year', date :'day' - interval '1 year')::date, date 'infinity', 1.0, '价字〔2025〕7号')
             ) AS p(valid_from, valid_to, factor, document)
 WHERE p.valid_from < p.valid_to;

INSERT INTO base.registration_level (id, name, registration_item_id, consultation_item_id, registration_fee, consultation_fee, default_slots, is_emergency)
VALUES (1, '普通号', 1, 3, 1.00, 9.00, 60, false),
       (2, '副主任号', 1, 4, 1.00, 15.00, 40, false),
       (3, '专家号', 1, 5, 1.00, 25.00, 25, false),
       (4, '急诊号', 2, 6, 2.00, 12.00, 400, true);

INSERT INTO outpatient.receipt_segment (id, cashier_id, prefix, start_no, end_no, current_no, issued_at)
SELECT 100 + id - 2000, id, 'A' || to_char(id - 2000, 'FM00'), (id - 2000) * 1000000 + 1, (id - 2000 + 1) * 1000000,
       (id - 2000) * 1000000, date :'day' - interval '3 days'
  FROM base.staff WHERE role = 'cashier';


-- ---------------------------------------------------------------------------------------------------------------
-- Patients and cards
-- ---------------------------------------------------------------------------------------------------------------

-- Identity numbers carry a region that does not exist (99) before a running number and the birth date, and telephone
-- numbers a network that does not exist (100): they look right and belong to nobody.
-- One in 40 has no document (newborns and small children, 无名氏), one in 50 another one than the identity card.
-- OFFSET 0 keeps the planner from working out the same choice once for every place that uses it.
INSERT INTO outpatient.patient (id, medical_record_no, name, name_phonetic, sex, birth_date, id_type, id_no, phone, address,
                                settlement_category_id, insurance_no, created_at, updated_at)
SELECT p.n, 'M' || lpad(p.n::text, greatest(9, length(p.n::text)), '0'),
       CASE WHEN p.document = 0 THEN '无名氏' ELSE pool.surnames[p.s] || pool.givens[p.g] || coalesce(pool.givens[p.h], '') END,
       CASE WHEN p.document = 0 THEN 'WMS' ELSE pool.surname_codes[p.s] || pool.given_codes[p.g] || coalesce(pool.given_codes[p.h], '') END,
       CASE WHEN p.document = 0 THEN '9' WHEN p.n % 2 = 1 THEN '1' ELSE '2' END,
       CASE WHEN p.document > 0 THEN p.born END,
       CASE WHEN p.document < 25 THEN NULL WHEN p.document < 45 THEN '02' ELSE '01' END,
       CASE WHEN p.document < 25 THEN NULL
            WHEN p.document < 45 THEN 'X' || lpad(p.n::text, 8, '0')
            ELSE p.digits || substr('10X98765432', 1 + (
                   ascii(substr(p.digits,  1, 1)) * 7 + ascii(substr(p.digits,  2, 1)) * 9 + ascii(substr(p.digits,  3, 1)) * 10 +
                   ascii(substr(p.digits,  4, 1)) * 5 + ascii(substr(p.digits,  5, 1)) * 8 + ascii(substr(p.digits,  6, 1)) * 4 +
                   ascii(substr(p.digits,  7, 1)) * 2 + ascii(substr(p.digits,  8, 1)) * 1 + ascii(substr(p.digits,  9, 1)) * 6 +
                   ascii(substr(p.digits, 10, 1)) * 3 + ascii(substr(p.digits, 11, 1)) * 7 + ascii(substr(p.digits, 12, 1)) * 9 +
                   ascii(substr(p.digits, 13, 1)) * 10 + ascii(substr(p.digits, 14, 1)) * 5 + ascii(substr(p.digits, 15, 1)) * 8 +
                   ascii(substr(p.digits, 16, 1)) * 4 + ascii(substr(p.digits, 17, 1)) * 2 - 48 * 100) % 11, 1) END,
       CASE WHEN p.document > 0 THEN '100' || lpad(pg_temp.pick(p.n, 15, 100000000)::text, 8, '0') END,
       CASE WHEN p.document > 0 THEN '示例市' || (ARRAY['东城','西城','南山','北湖','高新','江北'])[1 + pg_temp.pick(p.n, 16, 6)] || '区'
            || (ARRAY['人民路','解放路','中山路','建设街','和平里','幸福巷'])[1 + pg_temp.pick(p.n, 17, 6)]
            || 1 + pg_temp.pick(p.n, 18, 300) || '号' END,
       p.category,
       CASE WHEN p.category IN (2, 3) THEN 'YB' || lpad(p.n::text, 10, '0') END,
       p.created, p.created
  FROM (
    SELECT q.*,
           '99' || lpad((q.n / 1000 % 10000)::text, 4, '0') || to_char(q.born, 'YYYYMMDD') || lpad((q.n % 1000)::text, 3, '0') AS digits,
           (greatest(date :'day' - 1 - pg_temp.pick(q.n, 20, 2000), q.born + 1) + time '08:00'
             + make_interval(secs => pg_temp.pick(q.n, 21, 30000)))::timestamptz AS created
      FROM (
        SELECT d.n, d.document,
               date :'day' - CASE WHEN d.document BETWEEN 1 AND 24 THEN 5 + pg_temp.pick(d.n, 12, 1500)
                                  ELSE 2100 + pg_temp.pick(d.n, 12, 29000) END AS born,
               CASE WHEN pg_temp.pick(d.n, 14, 100) = 0 THEN 5
                    ELSE (ARRAY[1,1,1,2,2,2,2,3,3,4])[1 + pg_temp.pick(d.n, 13, 10)] END AS category,
               -- Two in three have one of the twenty commonest surnames, one in five a given name of one character.
               1 + pg_temp.pick(d.n, 31, CASE WHEN pg_temp.pick(d.n, 30, 3) > 0 THEN 20 ELSE :surnames END) AS s,
               1 + pg_temp.pick(d.n, 32, :givens) AS g,
               CASE WHEN pg_temp.pick(d.n, 34, 5) > 0 THEN 1 + pg_temp.pick(d.n, 33, :givens) END AS h
          FROM (SELECT n, pg_temp.pick(n, 11, 1000) AS document FROM generate_series(1, :patients) AS n OFFSET 0) AS d
        OFFSET 0
      ) AS q
    OFFSET 0
  ) AS p
  CROSS JOIN (SELECT (SELECT array_agg(name ORDER BY n) FROM surname) AS surnames, (SELECT array_agg(code ORDER BY n) FROM surname) AS surname_codes,
                     (SELECT array_agg(name ORDER BY n) FROM given) AS givens, (SELECT array_agg(code ORDER BY n) FROM given) AS given_codes
              OFFSET 0) AS pool;


-- ---------------------------------------------------------------------------------------------------------------
-- The morning: who came when, to whom, and what was ordered. Worked out in temporary tables first, because charges
-- are numbered over all kinds by time, and card balances and schedules depend on what came of them.
-- Times are seconds of the day; the data ends at 11:45 (42300).
-- ---------------------------------------------------------------------------------------------------------------

-- Every clinical doctor has a morning and an afternoon; emergency doctors have a night as well.
CREATE TEMPORARY TABLE shift ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY s.n, d.id)::integer AS id, s.session, s.n, d.id AS doctor_id, d.department_id,
       d.department_id = 190 AS is_emergency,
       row_number() OVER (PARTITION BY s.session, d.department_id = 190 ORDER BY d.id) - 1 AS place,
       CASE WHEN d.department_id = 190 THEN 4 WHEN d.title = '主任医师' THEN 3 WHEN d.title = '副主任医师' THEN 2 ELSE 1 END AS level_id
  FROM base.staff AS d
  CROSS JOIN (VALUES (1, 'night'), (2, 'am'), (3, 'pm')) AS s(n, session)
 WHERE d.role = 'doctor' AND (s.session <> 'night' OR d.department_id = 190);

-- One in 20 comes at night and one in 12 of the others to emergency. 7919 is a prime, so patients come once each
-- unless there are more visits than patients.
CREATE TEMPORARY TABLE visit ON COMMIT DROP AS
SELECT v.id, v.at, v.n, s.id AS schedule_id, s.doctor_id, s.department_id, s.level_id,
       row_number() OVER (PARTITION BY s.id ORDER BY v.id)::integer AS visit_seq,
       1 + (v.n::bigint * 7919) % :patients AS patient_id,
       CASE WHEN pg_temp.pick(v.n, 56, 125) = 0 THEN 2 WHEN pg_temp.pick(v.n, 57, 100) < 85 THEN 1 ELSE 0 END AS status,
       2001 + pg_temp.pick(v.n, 58, 30) AS cashier_id,
       s.session = 'am' AND NOT s.is_emergency AND pg_temp.pick(v.n, 59, 7) = 0 AS was_booked
  FROM (SELECT n, at, row_number() OVER (ORDER BY at, n) AS id, night, night OR pg_temp.pick(n, 51, 12) = 0 AS emergency
          FROM (SELECT n, pg_temp.pick(n, 50, 20) = 0 AS night,
                       CASE WHEN pg_temp.pick(n, 50, 20) = 0 THEN 600 + pg_temp.pick(n, 52, 24000)
                            ELSE 25200 + pg_temp.pick(n, 52, 15600) END AS at
                  FROM generate_series(1, :visits) AS n) AS q) AS v
  JOIN shift AS s ON s.session = CASE WHEN v.night THEN 'night' ELSE 'am' END
                 AND s.is_emergency = v.emergency
                 AND s.place = pg_temp.pick(v.n, 53, CASE WHEN v.emergency THEN 10 ELSE 230 END);

-- Three visits in four that were seen have an order, one in three has a second. Somewhat more than half are paid.
CREATE TEMPORARY TABLE work ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY o.at, o.key) AS id, o.*,
       CASE o.kind WHEN 'drug' THEN 5 WHEN 'lab' THEN 4 WHEN 'exam' THEN 2 ELSE 3 END AS max_lines,
       o.is_paid AND pg_temp.pick(o.key, 66, 100) < 70 AS is_done,
       o.is_paid AND pg_temp.pick(o.key, 66, 100) >= 95 AS is_refunded,
       2001 + pg_temp.pick(o.key, 67, 30) AS cashier_id
  FROM (SELECT v.id * 2 + k AS key, v.id AS visit_id, v.patient_id, v.doctor_id, v.department_id,
               (ARRAY['drug','drug','drug','drug','drug','lab','lab','exam','treatment'])[1 + pg_temp.pick(v.id * 2 + k, 62, 9)] AS kind,
               least(v.at + 600 + pg_temp.pick(v.id * 2 + k, 63, 3000), 41400) AS at,
               pg_temp.pick(v.id * 2 + k, 64, 100) < 55 AS is_paid
          FROM visit AS v CROSS JOIN generate_series(0, 1) AS k
         WHERE v.status = 1 AND pg_temp.pick(v.id * 2 + k, 61, 100) < CASE k WHEN 0 THEN 75 ELSE 33 END) AS o;

-- The steps are coprime with the number of items of a kind, so no order names an item twice.
CREATE TEMPORARY TABLE work_line ON COMMIT DROP AS
SELECT w.id AS order_id, j + 1 AS line_no, x.item_id, p.price,
       CASE w.kind WHEN 'drug' THEN (ARRAY[1, 1, 2, 2, 3, 0.5])[1 + pg_temp.pick(w.key * 8 + j, 72, 6)]
                   ELSE 1 + pg_temp.pick(w.key * 8 + j, 72, 2) END::numeric(12,3) AS quantity
  FROM work AS w
  CROSS JOIN LATERAL generate_series(0, pg_temp.pick(w.key, 70, w.max_lines)) AS j
  CROSS JOIN LATERAL (SELECT CASE w.kind
      WHEN 'drug' THEN 1001 + (pg_temp.pick(w.key, 71, 144) + j * 37) % 144
      WHEN 'lab' THEN 101 + (pg_temp.pick(w.key, 71, 16) + j * 5) % 16
      WHEN 'exam' THEN 117 + (pg_temp.pick(w.key, 71, 12) + j * 5) % 12
      ELSE 129 + (pg_temp.pick(w.key, 71, 10) + j * 3) % 10 END AS item_id) AS x
  JOIN base.charge_price AS p ON p.item_id = x.item_id AND p.valid_from <= date :'day' AND date :'day' < p.valid_to
 WHERE j < w.max_lines;

ANALYZE visit, work, work_line;

-- Every charge, and after it the offset of every refunded one.
CREATE TEMPORARY TABLE bill ON COMMIT DROP AS
WITH due AS (
  SELECT 1 AS source, v.id AS key, 'registration' AS kind, v.at, v.id AS visit_id, NULL::bigint AS order_id, v.patient_id,
         v.cashier_id, v.status = 2 AS is_refunded, l.registration_fee + l.consultation_fee AS total
    FROM visit AS v JOIN base.registration_level AS l ON l.id = v.level_id
  UNION ALL
  SELECT 2, w.id, 'order', least(w.at + 120 + pg_temp.pick(w.key, 68, 1200), 41900), w.visit_id, w.id, w.patient_id,
         w.cashier_id, w.is_refunded, t.total
    FROM work AS w
    JOIN (SELECT order_id, sum(round(price * quantity, 2)) AS total FROM work_line GROUP BY order_id) AS t ON t.order_id = w.id
   WHERE w.is_paid
), shared AS (
  SELECT d.*, p.settlement_category_id AS category, round(d.total * c.discount_rate, 2) AS discount,
         CASE WHEN c.is_insured THEN round((d.total - round(d.total * c.discount_rate, 2)) * 0.6, 2) ELSE 0 END AS insurance,
         (ARRAY['CASH','CASH','CASH','WECHAT','WECHAT','WECHAT','ALIPAY','ALIPAY','BANK','CREDIT','CARD','CARD'])
           [1 + pg_temp.pick(d.key * 2 + d.source, 80, 12)] AS method
    FROM due AS d
    JOIN outpatient.patient AS p ON p.id = d.patient_id
    JOIN base.settlement_category AS c ON c.id = p.settlement_category_id
), rounded AS (
  SELECT *, CASE WHEN method = 'CASH' THEN round(total - discount - insurance, 1) - (total - discount - insurance) ELSE 0 END AS rounding
    FROM shared
), both_sides AS (
  SELECT *, 1 AS sign, at AS charged FROM rounded
  UNION ALL
  SELECT *, -1, least(at + 300 + pg_temp.pick(key * 2 + source, 81, 900), 42300) FROM rounded WHERE is_refunded
), numbered AS (
  SELECT *, row_number() OVER (ORDER BY charged, sign DESC, source, key) AS id FROM both_sides
)
SELECT n.*, CASE WHEN n.sign = -1 THEN o.id END AS refund_of,
       CASE WHEN n.charged < 28800 THEN dense_rank() OVER (ORDER BY n.charged >= 28800, n.cashier_id) END AS close_id
  FROM numbered AS n
  LEFT JOIN numbered AS o ON n.sign = -1 AND o.sign = 1 AND o.source = n.source AND o.key = n.key;
ANALYZE bill;


-- ---------------------------------------------------------------------------------------------------------------
-- The rows
-- ---------------------------------------------------------------------------------------------------------------

-- A card holds what was paid in minus what was spent this morning; three in ten have something left.
INSERT INTO outpatient.card (card_no, card_type, patient_id, status, deposited, balance, issued_at)
SELECT 'C' || lpad(p.id::text, greatest(10, length(p.id::text)), '0'),
       CASE WHEN p.insurance_no IS NOT NULL AND pg_temp.pick(p.id, 40, 3) > 0 THEN 'insurance'
            WHEN pg_temp.pick(p.id, 40, 3) = 0 THEN 'electronic' ELSE 'hospital' END,
       p.id, CASE WHEN coalesce(s.spent, 0) = 0 AND s.patient_id IS NULL AND pg_temp.pick(p.id, 41, 100) = 0 THEN 1 ELSE 0 END,
       left_over + coalesce(s.spent, 0), left_over, p.created_at
  FROM (SELECT *, CASE WHEN pg_temp.pick(id, 42, 10) < 3 THEN 20 + pg_temp.pick(id, 43, 48000) / 100.0 ELSE 0 END AS left_over
          FROM outpatient.patient) AS p
  LEFT JOIN (SELECT patient_id, sum(sign * (total - discount - insurance)) AS spent
               FROM bill WHERE method = 'CARD' GROUP BY patient_id) AS s ON s.patient_id = p.id;

-- Open appointments are for the afternoon. Some of the morning were kept, some cancelled, some not kept.
CREATE TEMPORARY TABLE booking ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY b.source, b.key) AS id, b.*,
       CASE s.session WHEN 'pm' THEN time '13:30' ELSE time '08:00' END + make_interval(mins => 30 * pg_temp.pick(b.key, 93, 6)) AS slot_from
  FROM (
    SELECT 1 AS source, id AS key, patient_id, schedule_id, 1 AS status, id AS visit_id FROM visit WHERE was_booked
    UNION ALL
    SELECT 2, k, 1 + (k::bigint * 7907 + 13) % :patients, s.id, 2 + k % 2, NULL
      FROM generate_series(1, :visits / 60) AS k
      JOIN shift AS s ON s.session = 'am' AND NOT s.is_emergency AND s.place = pg_temp.pick(k, 90, 230)
    UNION ALL
    SELECT 3, k, 1 + (k::bigint * 7901 + 29) % :patients, s.id, 0, NULL
      FROM generate_series(1, greatest(:visits / 12, 3)) AS k
      JOIN shift AS s ON s.session = 'pm' AND NOT s.is_emergency AND s.place = pg_temp.pick(k, 91, 230)
  ) AS b
  JOIN shift AS s ON s.id = b.schedule_id;

INSERT INTO outpatient.schedule (id, work_date, session, department_id, doctor_id, level_id, slot_limit, slots_left, current_no)
SELECT s.id, :'day', s.session, s.department_id, s.doctor_id, s.level_id,
       greatest(l.default_slots, coalesce(v.numbers, 0) + coalesce(b.kept, 0) + 5),
       greatest(l.default_slots, coalesce(v.numbers, 0) + coalesce(b.kept, 0) + 5) - coalesce(v.live, 0) - coalesce(b.kept, 0),
       coalesce(v.numbers, 0)
  FROM shift AS s
  JOIN base.registration_level AS l ON l.id = s.level_id
  LEFT JOIN (SELECT schedule_id, count(*) AS numbers, count(*) FILTER (WHERE status <> 2) AS live
               FROM visit GROUP BY schedule_id) AS v ON v.schedule_id = s.id
  LEFT JOIN (SELECT schedule_id, count(*) AS kept FROM booking WHERE status IN (0, 3) GROUP BY schedule_id) AS b ON b.schedule_id = s.id;

INSERT INTO outpatient.appointment (id, patient_id, schedule_id, slot_from, slot_to, channel, status, booked_at)
SELECT id, patient_id, schedule_id, slot_from, slot_from + interval '30 minutes',
       (ARRAY['wechat','wechat','platform','phone','window'])[1 + pg_temp.pick(id, 94, 5)], status,
       date :'day' - 1 - pg_temp.pick(id, 95, 6) + time '09:00' + make_interval(secs => pg_temp.pick(id, 96, 30000))
  FROM booking;

-- The night shift was closed at 08:00.
INSERT INTO outpatient.shift_close (id, cashier_id, period_from, period_to, receipt_first, receipt_last, charge_count,
                                    refund_count, void_count, paid_total, refund_total, closed_at)
SELECT close_id, cashier_id, date :'day' + make_interval(secs => min(charged)), date :'day' + make_interval(secs => max(charged)),
       min(id), max(id), count(*) FILTER (WHERE sign = 1), count(*) FILTER (WHERE sign = -1),
       count(*) FILTER (WHERE pg_temp.pick(id, 84, 150) = 0),
       sum(sign * (total - discount + rounding)), coalesce(sum(sign * (total - discount + rounding)) FILTER (WHERE sign = -1), 0),
       date :'day' + time '08:00' + make_interval(secs => pg_temp.pick(cashier_id, 85, 600))
  FROM bill WHERE close_id IS NOT NULL GROUP BY close_id, cashier_id;

INSERT INTO outpatient.registration (id, registration_no, visit_date, visit_seq, schedule_id, department_id, doctor_id, level_id,
                                     patient_id, patient_name, patient_sex, patient_age, settlement_category_id, appointment_id,
                                     registration_fee, consultation_fee, status, operator_id, window_no, registered_at, close_id, updated_at)
SELECT v.id, 'G' || to_char(date :'day', 'YYMMDD') || lpad(v.id::text, greatest(9, length(v.id::text)), '0'),
       :'day', v.visit_seq, v.schedule_id, v.department_id, v.doctor_id, v.level_id,
       p.id, p.name, p.sex, outpatient.age_text(p.birth_date, :'day'), p.settlement_category_id, b.id,
       l.registration_fee, l.consultation_fee, v.status, v.cashier_id, 'W' || lpad((v.cashier_id - 2001)::text, 2, '0'),
       date :'day' + make_interval(secs => v.at), c.close_id, date :'day' + make_interval(secs => v.at)
  FROM visit AS v
  JOIN outpatient.patient AS p ON p.id = v.patient_id
  JOIN base.registration_level AS l ON l.id = v.level_id
  JOIN bill AS c ON c.source = 1 AND c.key = v.id AND c.sign = 1
  LEFT JOIN booking AS b ON b.visit_id = v.id;

INSERT INTO outpatient.doctor_order (id, registration_id, patient_id, kind, doctor_id, department_id, diagnosis, charge_status, exec_status, ordered_at)
SELECT id, visit_id, patient_id, kind::outpatient.order_kind, doctor_id, department_id,
       (ARRAY['上呼吸道感染','高血压病','2型糖尿病','慢性胃炎','腰肌劳损','过敏性鼻炎','冠心病','皮炎','待查'])[1 + pg_temp.pick(visit_id, 65, 9)],
       CASE WHEN is_refunded THEN 2 WHEN is_paid THEN 1 ELSE 0 END, is_done::integer, date :'day' + make_interval(secs => at)
  FROM work;

INSERT INTO outpatient.order_line (order_id, line_no, item_id, quantity, usage, charge_status, exec_status, executed_at)
SELECT l.order_id, l.line_no, l.item_id, l.quantity,
       CASE WHEN w.kind = 'drug' THEN (ARRAY['口服 每日三次','口服 每日两次','口服 每日一次 晨起','外用','遵医嘱'])[1 + pg_temp.pick(l.item_id, 73, 5)] END,
       CASE WHEN w.is_refunded THEN 2 WHEN w.is_paid THEN 1 ELSE 0 END, w.is_done::integer,
       CASE WHEN w.is_done THEN date :'day' + make_interval(secs => 42000 + pg_temp.pick(l.order_id, 74, 300)) END
  FROM work_line AS l JOIN work AS w ON w.id = l.order_id;

INSERT INTO outpatient.charge (id, receipt_no, kind, registration_id, patient_id, order_id, settlement_category_id, total, discount,
                               rounding, paid, insurance_paid, status, refund_of, refund_reason, cashier_id, window_no, charged_at, close_id)
OVERRIDING SYSTEM VALUE
SELECT id, id, kind::outpatient.charge_kind, visit_id, patient_id, order_id, category, sign * total, sign * discount, sign * rounding,
       sign * (total - discount + rounding), sign * insurance,
       CASE WHEN sign = -1 THEN 2 WHEN is_refunded THEN 1 ELSE 0 END, refund_of,
       CASE WHEN sign = -1 THEN (ARRAY['患者要求','医生改方','重复收费','药品缺货'])[1 + pg_temp.pick(id, 82, 4)] END,
       cashier_id, 'W' || lpad((cashier_id - 2001)::text, 2, '0'), date :'day' + make_interval(secs => charged), close_id
  FROM bill ORDER BY id;

INSERT INTO outpatient.charge_line (charge_id, line_no, item_id, item_name, spec, unit, price, quantity, receipt_class,
                                    reimbursement_class, order_id, order_line_no, ordering_dept_id, executing_dept_id)
SELECT x.charge_id, x.line_no, i.id, i.name, i.spec, i.unit, x.price, x.quantity, i.receipt_class, i.reimbursement_class,
       x.order_id, x.order_line_no, x.department_id, coalesce(i.department_id, x.department_id)
  FROM (
    SELECT b.id AS charge_id, f.line_no, f.item_id, f.price, b.sign::numeric AS quantity, NULL::bigint AS order_id,
           NULL::integer AS order_line_no, v.department_id
      FROM bill AS b JOIN visit AS v ON v.id = b.visit_id JOIN base.registration_level AS l ON l.id = v.level_id
      CROSS JOIN LATERAL (VALUES (1, l.registration_item_id, l.registration_fee),
                                 (2, l.consultation_item_id, l.consultation_fee)) AS f(line_no, item_id, price)
     WHERE b.source = 1
    UNION ALL
    SELECT b.id, l.line_no, l.item_id, l.price, b.sign * l.quantity, b.order_id, l.line_no, w.department_id
      FROM bill AS b JOIN work_line AS l ON l.order_id = b.order_id JOIN work AS w ON w.id = b.order_id
     WHERE b.source = 2
  ) AS x
  JOIN base.charge_item AS i ON i.id = x.item_id;

INSERT INTO outpatient.payment (charge_id, seq, pay_method, amount, card_no, trade_no, paid_at)
SELECT b.id, row_number() OVER (PARTITION BY b.id ORDER BY f.n), f.method, f.amount,
       CASE WHEN f.method = 'CARD' THEN 'C' || lpad(b.patient_id::text, greatest(10, length(b.patient_id::text)), '0') END,
       CASE WHEN f.method IN ('WECHAT', 'ALIPAY', 'BANK', 'INSURANCE') THEN f.method || '-' || coalesce(b.refund_of, b.id) END,
       date :'day' + make_interval(secs => b.charged)
  FROM bill AS b
  CROSS JOIN LATERAL (VALUES (1, 'INSURANCE', b.sign * b.insurance),
                             (2, b.method, b.sign * (b.total - b.discount + b.rounding - b.insurance))) AS f(n, method, amount)
 WHERE f.n = 2 OR f.amount <> 0;

INSERT INTO outpatient.shift_close_line (close_id, kind, code, count, amount)
SELECT c.close_id, 'pay', p.pay_method, count(*), sum(p.amount)
  FROM outpatient.charge AS c JOIN outpatient.payment AS p ON p.charge_id = c.id WHERE c.close_id IS NOT NULL GROUP BY 1, 3
UNION ALL
SELECT c.close_id, 'fee', l.receipt_class, count(*), sum(l.amount)
  FROM outpatient.charge AS c JOIN outpatient.charge_line AS l ON l.charge_id = c.id WHERE c.close_id IS NOT NULL GROUP BY 1, 3;

-- One receipt in 150 was spoilt in the printer: it is void, and the next number was printed instead.
INSERT INTO outpatient.receipt (segment_id, printed_no, charge_id, status, reprints, printed_at, voided_at)
SELECT s.id, s.start_no - 1 + row_number() OVER (PARTITION BY s.id ORDER BY r.id, r.copy), r.id,
       (r.copy < r.copies)::integer, CASE WHEN r.copy = r.copies AND pg_temp.pick(r.id, 86, 90) = 0 THEN 1 ELSE 0 END,
       r.at, CASE WHEN r.copy < r.copies THEN r.at + interval '20 seconds' END
  FROM (SELECT id, cashier_id, copies, copy, date :'day' + make_interval(secs => charged) AS at
          FROM (SELECT *, CASE WHEN pg_temp.pick(id, 84, 150) = 0 THEN 2 ELSE 1 END AS copies FROM bill) AS b
         CROSS JOIN LATERAL generate_series(1, b.copies) AS copy) AS r
  JOIN outpatient.receipt_segment AS s ON s.cashier_id = r.cashier_id;
UPDATE outpatient.receipt_segment AS s SET current_no = r.last
  FROM (SELECT segment_id, max(printed_no) AS last FROM outpatient.receipt GROUP BY segment_id) AS r WHERE r.segment_id = s.id;
UPDATE outpatient.receipt_counter SET last_no = (SELECT count(*) FROM bill);

-- Three batches a drug. The morning was served from the first one to expire, and what was refunded went back there.
INSERT INTO outpatient.drug_batch (drug_id, batch_no, expires_on, received, stock)
SELECT d.item_id, 'B' || to_char(date :'day' - b * 120, 'YYMM') || to_char(d.item_id, 'FM0000'), date :'day' + 1000 - b * 200,
       q.stock + q.used, q.stock
  FROM base.drug AS d
  CROSS JOIN generate_series(1, 3) AS b
  LEFT JOIN (SELECT l.item_id, sum(l.quantity) AS used FROM work_line AS l JOIN work AS w ON w.id = l.order_id
              WHERE w.is_paid AND NOT w.is_refunded GROUP BY l.item_id) AS u ON u.item_id = d.item_id
  CROSS JOIN LATERAL (SELECT CASE WHEN b = 3 THEN coalesce(u.used, 0) ELSE 0 END AS used,
                             CASE WHEN b = 3 THEN 30 + pg_temp.pick(d.item_id, 75, 60)
                                  ELSE 400 + :visits / 20 + pg_temp.pick(d.item_id * 4 + b, 75, 500) END AS stock) AS q;

INSERT INTO outpatient.drug_movement (id, drug_id, batch_no, order_id, line_no, quantity, moved_at)
SELECT row_number() OVER (ORDER BY b.id, l.line_no), l.item_id,
       'B' || to_char(date :'day' - 3 * 120, 'YYMM') || to_char(l.item_id, 'FM0000'),
       l.order_id, l.line_no, -b.sign * l.quantity, date :'day' + make_interval(secs => b.charged)
  FROM bill AS b JOIN work_line AS l ON l.order_id = b.order_id JOIN base.drug AS d ON d.item_id = l.item_id;

INSERT INTO base.login_log (staff_id, logged_in_at, terminal)
SELECT id, date :'day' + time '07:30' + make_interval(secs => pg_temp.pick(id, 99, 1500)), 'W' || lpad((id - 2001)::text, 2, '0')
  FROM base.staff WHERE role = 'cashier';

-- The application goes on after the highest number.
SELECT setval('outpatient.patient_id_seq', (SELECT max(id) FROM outpatient.patient)),
       setval('outpatient.schedule_id_seq', (SELECT max(id) FROM outpatient.schedule)),
       setval('outpatient.appointment_id_seq', (SELECT max(id) FROM outpatient.appointment)),
       setval('outpatient.shift_close_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM outpatient.shift_close), false),
       setval('outpatient.registration_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM outpatient.registration), false),
       setval('outpatient.doctor_order_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM outpatient.doctor_order), false),
       setval('outpatient.charge_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM outpatient.charge), false),
       setval('outpatient.drug_movement_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM outpatient.drug_movement), false)
\gset ignored_

ALTER TABLE outpatient.patient ENABLE TRIGGER USER;
ALTER TABLE outpatient.registration ENABLE TRIGGER USER;
REFRESH MATERIALIZED VIEW outpatient.item_usage;
COMMIT;

ANALYZE;

SELECT (SELECT count(*) FROM outpatient.patient) AS patients,
       (SELECT count(*) FROM outpatient.registration) AS registrations,
       (SELECT count(*) FROM outpatient.charge) AS charges,
       (SELECT sum(paid) FROM outpatient.charge) AS paid,
       (SELECT count(*) FROM outpatient.doctor_order WHERE charge_status = 0) AS unpaid_orders;
